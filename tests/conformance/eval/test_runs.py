"""Runs of benchmarks: rows are asked, answers scored, and all of it can be read."""

from __future__ import annotations

import pytest

from tests.conformance.eval.asking import AT, SAME, Asking, Repeating, candidate, rows

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_each_row_is_asked_and_scored(asking: Asking, repeating: Repeating) -> None:
    repeating.wrong = {"Say 2"}
    path = await asking.benchmark("numbers", rows(5))
    begun = await asking.run(path)
    assert begun["status"] in ("scheduled", "in_progress") and begun["progress"]["rows"] == 5
    assert begun["dataset_id"] == "numbers" and begun["dataset_version"].startswith("sha256:")
    ended = await asking.ended(begun)
    assert ended["status"] == "completed" and ended["progress"] == {"rows": 5, "done": 5, "failed": 0}
    result = await asking.result(ended)
    assert [one["generated_answer"] for one in result["generations"]] == ["0", "1", "nothing", "3", "4"]
    assert [one["score"] for one in result["scores"][SAME]["score_rows"]] == [1.0, 1.0, 0.0, 1.0, 1.0]
    accuracy = result["scores"][SAME]["aggregated_results"]["accuracy"]
    assert (accuracy["accuracy"], accuracy["num_correct"], accuracy["num_total"]) == (0.8, 4, 5)
    assert repeating.times == {f"Say {number}": 1 for number in range(5)}


async def test_rows_are_read_page_by_page(asking: Asking, repeating: Repeating) -> None:
    repeating.wrong = {"Say 1"}
    ended = await asking.completed(await asking.benchmark("paged", rows(5)))
    first = await asking.done("GET", f"{asking.path(ended)}/rows?start_index=1&limit=2")
    assert [one["index"] for one in first["data"]] == [1, 2] and first["has_more"]
    assert first["data"][0] == {
        "index": 1,
        "row": {"question": "Say 1", "answer": "1", "category": "1"},
        "generation": {"generated_answer": "nothing"},
        "scores": {SAME: {"score": 0.0}},
    }
    rest = await asking.done("GET", f"{asking.path(ended)}/rows?start_index=3&limit=2")
    assert [one["index"] for one in rest["data"]] == [3, 4] and not rest["has_more"]
    assert (await asking.done("GET", f"{asking.path(ended)}/rows?start_index=5"))["data"] == []
    assert (await asking.done("GET", f"{asking.path(ended)}/rows?only=errors"))["data"] == []


async def test_runs_are_listed_by_benchmark(asking: Asking, repeating: Repeating) -> None:
    path = await asking.benchmark("listed", rows(1))
    first, second = await asking.completed(path), await asking.completed(path)
    listed = await asking.done("GET", f"{path}/jobs")
    assert [one["job_id"] for one in listed["data"]] == [second["job_id"], first["job_id"]]
    page = await asking.done("GET", f"{path}/jobs?limit=1")
    assert page["has_more"] and page["data"] == [second]
    other = await asking.benchmark("listed-elsewhere", rows(1))
    assert (await asking.done("GET", f"{other}/jobs"))["data"] == []
    error = await asking.refused(404, f"{other}/jobs/{first['job_id']}", method="GET")
    assert error["param"] == "job_id" and "listed-elsewhere" in error["message"]


async def test_only_so_many_rows_are_asked(asking: Asking, repeating: Repeating) -> None:
    path = await asking.benchmark("some", rows(9))
    ended = await asking.completed(path, {**candidate(), "num_examples": 3})
    assert ended["progress"] == {"rows": 3, "done": 3, "failed": 0} and len(repeating.asked) == 3


async def test_older_paths_are_served(asking: Asking, repeating: Repeating) -> None:
    await asking.benchmark("older", rows(1))
    at = f"{AT.replace('v1alpha', 'v1')}/older"
    job = await asking.done("POST", f"{at}/jobs", {"benchmark_config": candidate()})
    await asking.ended(job)
    assert (await asking.done("GET", f"{at}/jobs/{job['job_id']}"))["status"] == "completed"
    assert len((await asking.done("GET", f"{at}/jobs/{job['job_id']}/result"))["generations"]) == 1
