"""What cannot be evaluated is refused before anything is asked, with what there is instead."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.eval.asking import AT, MODEL, SAME, Asking, Json, Repeating, candidate, rows

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def refused(asking: Asking, status: int, name: str, config: Json | None = None) -> Json:
    return await asking.refused(status, f"{AT}/{name}/jobs", {"benchmark_config": config or candidate()})


async def test_what_is_not_there_is_named_with_close_names(asking: Asking, repeating: Repeating) -> None:
    await asking.benchmark("here", rows(1))
    error = await refused(asking, 404, "hare")
    assert error["param"] == "benchmark_id" and "`here`" in error["message"]
    error = await refused(asking, 404, "here", candidate("vendor/small-chet"))
    assert error["param"] == "benchmark_config.eval_candidate.model" and MODEL in error["message"]
    asked = {"benchmark_id": "lost", "dataset_id": "hera", "scoring_functions": [SAME]}
    await asking.done("POST", AT, asked)
    error = await refused(asking, 404, "lost")
    assert error["param"] == "dataset_id" and "`here`" in error["message"]
    await asking.done("POST", AT, {**asked, "benchmark_id": "unscorable", "scoring_functions": ["letters::sane"]})
    error = await refused(asking, 404, "unscorable")
    assert error["param"] == "scoring_functions" and f"`{SAME}`" in error["message"]
    assert repeating.asked == []
    assert (await asking.done("GET", f"{AT}/here/jobs"))["data"] == []


async def test_params_of_a_function_that_does_not_score_are_refused(asking: Asking, repeating: Repeating) -> None:
    await asking.benchmark("params", rows(1))
    told: Json = {"type": "basic", "aggregation_functions": ["median"]}
    error = await refused(asking, 400, "params", {**candidate(), "scoring_params": {"letters::first": told}})
    assert error["param"] == "benchmark_config.scoring_params" and f"`{SAME}`" in error["message"]
    judge = {"type": "llm_as_judge", "judge_model": "vendor/judge"}
    error = await refused(asking, 404, "params", {**candidate(), "scoring_params": {SAME: judge}})
    assert error["param"] == f"benchmark_config.scoring_params.{SAME}.judge_model"
    ended = await asking.completed(f"{AT}/params", {**candidate(), "scoring_params": {SAME: told}})
    assert (await asking.result(ended))["scores"][SAME]["aggregated_results"] == {"median": {"median": 1.0}}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"frage": "Say 1", "answer": "1"}, "has none of the columns `messages`"),
        ({"question": None, "answer": "1"}, "has none of the columns `messages`"),
        (
            {"question": "Say 1", "solution": "1"},
            "has neither column of `expected_answer`, `answer`, which `letters::same`",
        ),
    ],
)
async def test_columns_that_are_missing_are_named_with_those_that_are_there(
    asking: Asking, repeating: Repeating, row: Any, words: str
) -> None:
    name = f"columns-{'-'.join(row)}"
    await asking.benchmark(name, [*rows(1), row])
    error = await refused(asking, 400, name)
    assert error["code"] == "missing_columns" and words in error["message"]
    assert f"Row 1 of the dataset `{name}`" in error["message"]
    assert error["message"].endswith(f"it has {', '.join(f'`{column}`' for column in row)}")
    asked = {"input_rows": [row], "scoring_functions": [SAME], "benchmark_config": candidate()}
    error = await asking.refused(400, f"{AT}/{name}/evaluations", asked)
    assert error["param"] == "input_rows" and "Row 0 of `input_rows`" in error["message"]
    assert repeating.asked == []


async def test_a_dataset_without_rows_is_refused(asking: Asking) -> None:
    await asking.benchmark("empty", [])
    assert "no rows" in (await refused(asking, 400, "empty"))["message"]


async def test_a_run_is_compared_with_another_one_of_its_benchmark(asking: Asking, repeating: Repeating) -> None:
    run = await asking.completed(await asking.benchmark("alone", rows(1)))
    other = await asking.completed(await asking.benchmark("elsewhere", rows(1)))
    path = f"{asking.path(run)}/compare"
    error = await asking.refused(404, f"{path}?baseline={other['job_id']}", method="GET")
    assert error["param"] == "baseline"
    assert (await asking.refused(400, f"{path}?baseline={run['job_id']}", method="GET"))["param"] == "baseline"
    assert (await asking.refused(400, path, method="GET"))["param"] == "baseline"


async def test_too_many_rows_for_one_answer_are_told_where_to_read_them(
    asking: Asking, repeating: Repeating, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await asking.completed(await asking.benchmark("many", rows(3)))
    monkeypatch.setattr("runtime.providers.eval._shared.results.MOST_ROWS", 2)
    error = await asking.refused(413, f"{asking.path(run)}/result", method="GET")
    assert "/rows" in error["message"]


async def test_wrong_forms_of_a_candidate_are_refused_by_name(asking: Asking) -> None:
    await asking.benchmark("forms", rows(1))
    error = await refused(asking, 400, "forms", {"eval_candidate": {"type": "llama"}})
    assert "eval_candidate" in error["param"]
    error = await refused(asking, 400, "forms", {**candidate(), "num_examples": 0})
    assert error["param"] == "benchmark_config.num_examples"
    system = {"role": "system", "content": {"type": "image", "image": {"url": {"uri": "https://a.example/b.png"}}}}
    error = await refused(asking, 400, "forms", candidate(system_message=system))
    assert error["param"] == "benchmark_config.eval_candidate.system_message.content"
