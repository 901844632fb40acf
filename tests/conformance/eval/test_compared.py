"""One run beside another, and what SQL finds of both."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.storage.analytics.handle import Analytics
from tests.conformance.eval.asking import SAME, Asking, Json, Repeating, candidate, rows

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def compared(asking: Asking, run: Json, baseline: Json) -> Json:
    found: Json = await asking.done("GET", f"{asking.path(run)}/compare?baseline={baseline['job_id']}")
    return found


async def test_a_run_is_compared_row_by_row(asking: Asking, repeating: Repeating) -> None:
    path = await asking.benchmark("compared", rows(30))
    repeating.wrong = {f"Say {number}" for number in range(12)}
    before = await asking.completed(path)
    repeating.wrong = {"Say 20", "Say 21"}
    run = await asking.completed(path)
    found = await compared(asking, run, before)
    assert found["same_rows"] is True and found["job_id"] == run["job_id"] and found["baseline"] == before["job_id"]
    of_same = found["functions"][SAME]
    assert of_same["better"] == [*range(12)] and of_same["worse"] == [20, 21] and of_same["num_rows"] == 30
    assert of_same["test"] == "mcnemar" and of_same["p_value"] == pytest.approx(2 * (1 + 14 + 91) / 2**14)
    assert of_same["difference"] == pytest.approx(1 / 3)
    low, high = of_same["confidence_interval"]
    assert 0 < low < 1 / 3 < high < 1
    back = (await compared(asking, before, run))["functions"][SAME]
    assert back["difference"] == pytest.approx(-1 / 3) and back["p_value"] == of_same["p_value"]


async def test_rows_of_another_version_are_matched_where_they_are_equal(asking: Asking, repeating: Repeating) -> None:
    path = await asking.benchmark("versions", rows(4))
    before = await asking.completed(path)
    changed = [*rows(6)[2:], {"answer": "0", "category": "0", "question": "Say 0"}]
    await asking.done(
        "POST",
        "/v1beta/datasets",
        {"dataset_id": "versions", "purpose": "eval/question-answer", "source": {"type": "rows", "rows": changed}},
    )
    repeating.wrong = {"Say 0"}
    run = await asking.completed(path)
    found = await compared(asking, run, before)
    assert found["same_rows"] is False
    of_same = found["functions"][SAME]
    assert of_same["num_rows"] == 3 and of_same["worse"] == [4], "the number in the run"
    assert (found["summary"]["only_in_run"], found["summary"]["only_in_baseline"]) == (2, 1)


async def test_words_are_not_compared(asking: Asking, repeating: Repeating) -> None:
    path = await asking.benchmark("words", rows(2), "letters::first", SAME)
    told = candidate() | {"scoring_params": {"letters::first": {"type": "basic"}}}
    first, second = await asking.completed(path, told), await asking.completed(path, told)
    assert list((await compared(asking, second, first))["functions"]) == [SAME]


BY_CATEGORY = """
SELECT given->>'category' AS category, run_id, avg(score) AS score, count(*) AS num_rows
FROM eval_scores JOIN eval_rows USING (run_id, number)
WHERE run_id IN (?, ?) AND function = ?
GROUP BY ALL ORDER BY ALL
"""


async def test_sql_compares_two_runs_by_category(asking: Asking, repeating: Repeating) -> None:
    path = await asking.benchmark("sql", rows(10))
    before = await asking.completed(path)
    repeating.wrong = {"Say 1", "Say 3"}
    run = await asking.completed(path)
    await asking.settled()

    async def found(sql: str, *values: Any) -> list[Any]:
        analytics = asking.served.stack._stores.analytics()
        return (await analytics.query(sql, values)).rows

    ids = [before["job_id"], run["job_id"]]
    by_category = await found(BY_CATEGORY, *ids, SAME)
    assert sorted(by_category) == sorted(
        [("0", ids[0], 1.0, 5), ("0", ids[1], 1.0, 5), ("1", ids[0], 1.0, 5), ("1", ids[1], 0.6, 5)]
    )
    ended = "SELECT run_id, status, candidate, num_rows, num_failed FROM eval_runs WHERE benchmark_id = 'sql'"
    assert sorted(await found(ended)) == sorted((one, "completed", "vendor/small-chat", 10, 0) for one in ids)
    row = "SELECT number, question, expected, answer, error FROM eval_rows WHERE run_id = ? AND number = 3"
    assert await found(row, ids[1]) == [(3, "Say 3", "3", "nothing", None)]


@pytest.mark.parametrize("dies_at", [1, 2, 3, 4, 5])
async def test_rows_are_in_analytics_once_wherever_a_process_dies(
    asking: Asking, repeating: Repeating, monkeypatch: pytest.MonkeyPatch, dies_at: int
) -> None:
    """It dies after this many additions; each has two rows at most."""
    monkeypatch.setattr("runtime.providers.eval._shared.kept_rows._AT_ONCE", 2)
    append, done = Analytics.append, list[int]()

    async def dying(self: Analytics, table: Any, added: Any) -> None:
        await append(self, table, added)
        done.append(len(added))
        if len(done) == dies_at:
            raise RuntimeError("it is killed here")

    monkeypatch.setattr(Analytics, "append", dying)
    monkeypatch.setattr("runtime.storage.jobs.running.FIRST_PAUSE_S", 0.0)
    ended = await asking.completed(await asking.benchmark(f"once-{dies_at}", rows(5)))
    await asking.settled()
    assert len(done) > dies_at
    for table, count in (("eval_rows", 5), ("eval_scores", 5), ("eval_runs", 1)):
        query = f"SELECT count(*) FROM {table} WHERE run_id = ?"  # ours
        found = await asking.served.stack._stores.analytics().query(query, [ended["job_id"]])
        assert found.rows == [(count,)], table
