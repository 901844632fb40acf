"""A server that is killed in the middle of an evaluation: the next one goes on, and asks nothing that is answered."""

from __future__ import annotations

import asyncio
import random
import signal
from pathlib import Path

import pytest

from runtime.conformance.upstream import upstream_server
from runtime.storage.analytics.asked import AskedAnalytics
from tests.conformance.eval.asking import MODEL, Held, rows
from tests.support.eval_process import EQUAL, LIMIT_S, begun, once, running

pytestmark = pytest.mark.e2e
ROWS, BEFORE, AT_ONCE = 200, 83, 10


async def test_only_what_was_in_flight_is_asked_twice_after_a_kill(tmp_path: Path) -> None:
    async with upstream_server() as vendor:
        async with running(vendor, tmp_path) as first:
            vendor.misbehaves = held = Held(free=BEFORE)
            path = await begun(first, rows(ROWS), MODEL)
            before = await once(first, path, done=BEFORE)
            await held.until(BEFORE + AT_ONCE)
            first.signal(signal.SIGKILL)
            await first.process.wait()
        assert before["status"] == "in_progress" and before["progress"]["rows"] == ROWS
        in_flight = set(held.asked[BEFORE:])
        held.let()
        async with running(vendor, tmp_path) as second:
            ended = await once(second, path, is_ended=True)
            _, result = await second.ask("GET", f"{path}/result")
        assert ended["status"] == "completed" and ended["progress"] == {"rows": ROWS, "done": ROWS, "failed": 0}
        assert ended["dataset_version"] == before["dataset_version"]
        assert [one["generated_answer"] for one in result["generations"]] == [f"{number}" for number in range(ROWS)]
        assert result["scores"][EQUAL]["aggregated_results"]["accuracy"]["num_correct"] == ROWS
        assert len(held.times) == ROWS and len(held.asked) == ROWS + AT_ONCE
        assert {text for text, times in held.times.items() if times > 1} == in_flight


async def in_analytics(folder: Path) -> tuple[int, ...]:
    """How many runs, rows and scores another process finds, once a run is there."""
    [socket] = folder.rglob("*.duckdb.sock")
    asked = AskedAnalytics(socket.with_suffix(""))
    tables = ("eval_runs", "eval_rows", "eval_scores")
    async with asyncio.timeout(LIMIT_S):
        while True:
            counts = tuple([(await asked.query(f"SELECT count(*) FROM {one}")).rows[0][0] for one in tables])  # ours
            if counts[0]:
                return counts
            await asyncio.sleep(0.02)


async def test_kills_at_any_moment_lose_nothing_and_ask_little_twice(tmp_path: Path) -> None:
    """Wherever it is: while rows are asked, scored, summed up, added to analytics."""
    moment, kills = random.Random(18), 0
    async with upstream_server() as vendor:
        path = ""
        held = Held(free=1_000_000)
        for count in (10, 60, 110, 170, ROWS):
            async with running(vendor, tmp_path) as server:
                vendor.misbehaves = held
                path = path or await begun(server, rows(ROWS), MODEL)
                async with asyncio.timeout(LIMIT_S):
                    await once(server, path, done=count)
                await asyncio.sleep(moment.random() / 50)
                server.signal(signal.SIGKILL)
                await server.process.wait()
                kills += 1
        async with running(vendor, tmp_path) as server:
            ended = await once(server, path, is_ended=True)
            _, result = await server.ask("GET", f"{path}/result")
            counts = await in_analytics(tmp_path)
    assert counts == (1, ROWS, ROWS)
    assert ended["progress"] == {"rows": ROWS, "done": ROWS, "failed": 0}
    assert [one["generated_answer"] for one in result["generations"]] == [f"{number}" for number in range(ROWS)]
    assert set(held.times) == {f"Say {number}" for number in range(ROWS)}
    assert ROWS <= len(held.asked) <= ROWS + kills * AT_ONCE
