"""What a provider promises that tells of single rows."""

from __future__ import annotations

import pytest

from runtime.conformance.abilities import needs
from runtime.conformance.eval.subject import AT, NAME, Evaluating, Run

pytestmark = pytest.mark.asyncio


@needs("rows")
async def test_rows_of_a_run_are_those_of_the_benchmark_each_with_its_answer_and_scores(
    evaluating: Evaluating,
) -> None:
    subject = evaluating.subject
    run = await evaluating.completed()
    told = await evaluating.done("GET", f"{run.path}/rows")
    assert [one["index"] for one in told["data"]] == [*range(len(subject.rows))] and not told["has_more"]
    result = await evaluating.result(run)
    assert {*result["scores"]} == {*subject.functions}
    for place, (one, row) in enumerate(zip(told["data"], subject.rows, strict=True)):
        assert one["row"].items() >= row.items()
        assert one["generation"] == result["generations"][place]
        assert one["scores"] == {name: result["scores"][name]["score_rows"][place] for name in subject.functions}
    progress = (await evaluating.job(run))["progress"]
    assert progress == {"rows": len(subject.rows), "done": len(subject.rows), "failed": 0}


@needs("rows")
async def test_rows_are_read_a_page_at_a_time(evaluating: Evaluating) -> None:
    run = await evaluating.completed()
    every = (await evaluating.done("GET", f"{run.path}/rows"))["data"]
    for start in range(len(every) + 1):
        page = await evaluating.done("GET", f"{run.path}/rows?start_index={start}&limit=1")
        assert page == {"data": every[start : start + 1], "has_more": start + 1 < len(every)}
    assert (await evaluating.done("GET", f"{run.path}/rows?only=errors"))["data"] == []


@needs("rows")
async def test_the_first_rows_alone_are_asked_where_a_run_says_how_many(evaluating: Evaluating) -> None:
    asked = {"benchmark_config": {**evaluating.subject.config, "num_examples": 1}}
    job = await evaluating.done("POST", f"{AT}/{NAME}/jobs", asked)
    run = Run(benchmark=NAME, job_id=job["job_id"])
    assert (await evaluating.ended(run))["status"] == "completed"
    assert [one["index"] for one in (await evaluating.done("GET", f"{run.path}/rows"))["data"]] == [0]


@needs("rows")
async def test_runs_are_compared_row_by_row(evaluating: Evaluating) -> None:
    first, second = await evaluating.completed(), await evaluating.completed()
    compared = await evaluating.done("GET", f"{second.path}/compare?baseline={first.job_id}")
    assert {*compared["functions"]} == {*evaluating.subject.functions}
    itself = await evaluating.ask("GET", f"{first.path}/compare?baseline={first.job_id}")
    assert (itself.status, itself.error["param"]) == (400, "baseline")
    nothing = await evaluating.ask("GET", f"{first.path}/compare?baseline=job_of_nobody")
    assert (nothing.status, nothing.error["param"]) == (404, "baseline")


@needs("given")
async def test_rows_of_a_request_are_answered_and_scored_in_their_order(evaluating: Evaluating) -> None:
    subject = evaluating.subject
    given = [*subject.rows[::-1], subject.rows[0]]
    asked = {"scoring_functions": [*subject.functions], "benchmark_config": subject.config}
    found = await evaluating.done("POST", f"{AT}/{NAME}/evaluations", {**asked, "input_rows": given})
    single = [
        await evaluating.done("POST", f"{AT}/{NAME}/evaluations", {**asked, "input_rows": [row]}) for row in given
    ]
    assert found["generations"] == [one["generations"][0] for one in single]
    for name in subject.functions:
        wanted = [one["scores"][name]["score_rows"][0] for one in single]
        assert found["scores"][name]["score_rows"] == wanted and found["scores"][name]["aggregated_results"]
    assert (await evaluating.listed())["data"] == [], "rows of a request are no run"
