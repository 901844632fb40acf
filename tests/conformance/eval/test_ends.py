"""How runs end: rows whose model fails, runs that are cancelled, and what goes on after a restart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from runtime.conformance.upstream import Upstream, upstream_server
from runtime.providers._background import asking as background
from runtime.providers._background import pacing
from runtime.providers.eval._shared.tables import ROWS, RUNS
from runtime.storage.sql import Update, eq
from tests.conformance.eval.asking import LIMIT_S, SAME, Asking, Held, Json, Repeating, asking_at, candidate, rows
from tests.support.scoring import Letters


@pytest_asyncio.fixture
async def vendor() -> AsyncIterator[Upstream]:
    async with upstream_server() as found:
        yield found


@pytest_asyncio.fixture
async def asking(vendor: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Asking]:
    monkeypatch.setattr(pacing, "FIRST_PAUSE_S", 0.01)
    async with asking_at(vendor, tmp_path, monkeypatch, config={"max_concurrent_rows": 2}) as found:
        yield found


def failing(status: int, *texts: str) -> Repeating:
    """A vendor that refuses some questions."""

    def before(text: str) -> web.StreamResponse | None:
        body = {"error": {"message": f"no {text}", "type": "x", "code": "y"}}
        return web.json_response(body, status=status) if text in texts else None

    return Repeating(before=before)


async def test_a_row_whose_model_fails_is_an_error_and_never_0(asking: Asking, vendor: Upstream) -> None:
    vendor.misbehaves = failing(400, "Say 1")
    ended = await asking.completed(await asking.benchmark("failing", rows(3)))
    assert ended["progress"] == {"rows": 3, "done": 3, "failed": 1}
    result = await asking.result(ended)
    failed = result["generations"][1]
    assert failed["generated_answer"] is None and "no Say 1" in failed["error"]
    [_, score, _] = result["scores"][SAME]["score_rows"]
    assert score["score"] is None and "no Say 1" in score["error"]
    together = result["scores"][SAME]["aggregated_results"]
    assert (together["errors"], together["accuracy"]["accuracy"], together["accuracy"]["num_total"]) == (1, 1.0, 2)
    [row] = (await asking.done("GET", f"{asking.path(ended)}/rows?only=errors"))["data"]
    assert row["index"] == 1
    assert (await asking.done("GET", f"{asking.path(ended)}/rows?only=errors&start_index=1"))["data"] == []
    assert len(Letters.latest.asked) == 1 or all(len(one.rows) < 3 for one in Letters.latest.asked)


async def test_a_row_that_cannot_be_scored_is_an_error_and_the_others_are_not(asking: Asking, vendor: Upstream) -> None:
    vendor.misbehaves = Repeating()
    given = [*rows(2), {"question": "Say nothing", "answer": None}, {"question": "Say 3"}]
    path = await asking.benchmark("unscored", given[:3])
    dataset = {"dataset_id": "unscored", "rows": [given[3]]}
    await asking.done("POST", "/v1beta/datasetio/append-rows/unscored", dataset)
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr("runtime.providers.eval._shared.evaluations._FIRST_ROWS", 3)
        ended = await asking.completed(path)
    result = await asking.result(ended)
    scores = result["scores"][SAME]["score_rows"]
    assert [one["score"] for one in scores] == [1.0, 1.0, None, None]
    assert all(one["error"] for one in scores[2:])
    assert result["scores"][SAME]["aggregated_results"]["errors"] == 2


@pytest.mark.parametrize("status", [429, 503])
async def test_what_is_refused_for_now_is_asked_again(asking: Asking, vendor: Upstream, status: int) -> None:
    left = [3]

    def before(text: str) -> web.StreamResponse | None:
        left[0] -= 1
        headers = {"retry-after-ms": "5"}
        return (
            web.json_response({"error": {"message": "busy"}}, status=status, headers=headers) if left[0] >= 0 else None
        )

    vendor.misbehaves = asked = Repeating(before=before)
    ended = await asking.completed(await asking.benchmark("busy", rows(4)))
    assert ended["progress"] == {"rows": 4, "done": 4, "failed": 0}
    assert len(asked.asked) == 7


async def test_a_vendor_that_stays_down_is_asked_some_times(
    asking: Asking, vendor: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "MOST_OUTAGES", 2)
    vendor.misbehaves = asked = failing(503, "Say 0")
    ended = await asking.completed(await asking.benchmark("down", rows(1)))
    assert ended["progress"]["failed"] == 1 and asked.times == {"Say 0": 2}


async def once(asking: Asking, job: Json, **progress: int) -> Json:
    """The run, once it is so far."""
    async with asyncio.timeout(LIMIT_S):
        while (found := await asking.job(job))["progress"] | progress != found["progress"]:
            await asyncio.sleep(0.005)
    return found


async def test_what_a_cancelled_run_has_is_kept(asking: Asking, vendor: Upstream) -> None:
    vendor.misbehaves = held = Held(free=3)
    job = await asking.run(await asking.benchmark("cancelled", rows(9)))
    await held.until(5)
    running = await once(asking, job, done=3)
    assert running["status"] == "in_progress" and running["ended_at"] is None
    error = await asking.refused(409, f"{asking.path(job)}/result", method="GET")
    assert "3 of 9" in error["message"]
    assert len((await asking.done("GET", f"{asking.path(job)}/rows"))["data"]) == 3
    assert (await asking.ask("DELETE", asking.path(job))).status == 204
    ended = await asking.ended(job)
    assert ended["status"] == "cancelled" and ended["progress"] == {"rows": 9, "done": 3, "failed": 0}
    result = await asking.result(ended)
    assert len(result["generations"]) == 3
    assert result["scores"][SAME]["aggregated_results"]["accuracy"]["num_total"] == 3
    error = await asking.refused(409, asking.path(job), method="DELETE")
    assert "cancelled" in error["message"]
    held.let()
    assert len(held.asked) == 5


async def test_a_run_that_has_not_begun_can_be_cancelled(vendor: Upstream, tmp_path: Path) -> None:
    vendor.misbehaves = held = Held(free=0)
    with pytest.MonkeyPatch.context() as patches:
        async with asking_at(vendor, tmp_path, patches, config={"max_concurrent_jobs": 1}) as asking:
            path = await asking.benchmark("waiting", rows(2))
            first, second = await asking.run(path), await asking.run(path)
            await held.until(2)
            assert (await asking.job(second))["status"] == "scheduled"
            assert (await asking.ask("DELETE", asking.path(second))).status == 204
            assert (await asking.ended(second))["status"] == "cancelled"
            held.let()
            assert (await asking.ended(first))["status"] == "completed"
            assert held.times == {"Say 0": 1, "Say 1": 1}


async def test_an_answer_that_was_not_scored_is_scored_and_not_asked_again(asking: Asking, vendor: Upstream) -> None:
    vendor.misbehaves = asked = Repeating()
    ended = await asking.completed(await asking.benchmark("half", rows(4)))
    await asking.settled()
    store = asking.adapter._store
    unscored = {"is_scored": 0, "scores": None}
    again = {"outcome": None, "ended_at": None, "exported_at": None, "results": None, "done": 2}
    where = eq("run_id", ended["job_id"])
    await store.write(
        Update(ROWS, unscored, where & eq("number", 1)),
        Update(ROWS, unscored, where & eq("number", 3)),
        Update(RUNS, again, eq("id", ended["job_id"])),
    )
    await asking.adapter.start()
    assert (await asking.ended(ended))["progress"] == {"rows": 4, "done": 4, "failed": 0}
    assert asked.times == {f"Say {number}": 1 for number in range(4)}
    scores = (await asking.result(ended))["scores"][SAME]
    assert [one["score"] for one in scores["score_rows"]] == [1.0] * 4


async def test_none_of_its_jobs_is_left_of_a_run_that_has_ended(asking: Asking, vendor: Upstream) -> None:
    vendor.misbehaves = Repeating()
    ended = await asking.completed(await asking.benchmark("over", rows(2)))
    await asking.settled()
    assert await asking.job(ended) == ended


async def test_a_dataset_that_goes_away_ends_the_run(asking: Asking, vendor: Upstream) -> None:
    vendor.misbehaves = held = Held(free=0)
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr("runtime.providers.eval._shared.running.PAGE_ROWS", 2)
        job = await asking.run(await asking.benchmark("gone", rows(30)), candidate())
        await held.until(2)
        assert (await asking.ask("DELETE", "/v1beta/datasets/gone")).status == 204
        held.let()
        ended = await asking.ended(job)
    assert ended["status"] == "failed" and "gone" in ended["error"]
