"""A server that is killed in the middle of a batch: the next one goes on, no line is lost, and few are asked twice."""

from __future__ import annotations

import asyncio
import json
import signal
from collections import Counter
from pathlib import Path

import pytest

from runtime.conformance.upstream import upstream_server
from tests.conformance.batches.asking import CHAT, jsonl, lines
from tests.conformance.batches.held import Held
from tests.support.batches_process import LIMIT_S, content, created, once, running

pytestmark = pytest.mark.e2e
LINES, BEFORE, AT_ONCE = 200, 83, 10


async def test_every_line_has_one_answer_after_a_kill(tmp_path: Path) -> None:
    async with upstream_server() as vendor:
        vendor.misbehaves = held = Held(free=BEFORE)
        async with running(vendor, tmp_path) as first:
            batch_id = await created(first, jsonl(*lines(LINES)), CHAT)
            before = await once(first, batch_id, completed=BEFORE)
            await held.until(BEFORE + AT_ONCE)
            first.signal(signal.SIGKILL)
            await first.process.wait()
        assert before["status"] == "in_progress" and before["request_counts"]["completed"] == BEFORE
        in_flight = Counter(held.asked[BEFORE:])
        held.let()
        async with running(vendor, tmp_path) as second:
            ended = await once(second, batch_id, status="completed")
            output = [json.loads(one) for one in (await content(second, ended["output_file_id"])).splitlines()]
        assert ended["request_counts"] == {"total": LINES, "completed": LINES, "failed": 0}
        assert [one["custom_id"] for one in output] == [f"line-{number}" for number in range(LINES)]
        asked = Counter(held.asked)
        assert len(asked) == LINES and sum(asked.values()) == LINES + AT_ONCE
        assert {text for text, times in asked.items() if times > 1} == set(in_flight)


async def test_kills_at_any_moment_lose_nothing(tmp_path: Path) -> None:
    """Five times, wherever it is: while lines are kept, while files are written."""
    async with upstream_server() as vendor:
        vendor.misbehaves = held = Held(free=1_000_000)
        batch_id, kills = "", 0
        for count in (20, 60, 100, 150, 195):
            async with running(vendor, tmp_path) as server:
                batch_id = batch_id or await created(server, jsonl(*lines(LINES)), CHAT)
                async with asyncio.timeout(LIMIT_S):
                    await once(server, batch_id, completed=count)
                server.signal(signal.SIGKILL)
                await server.process.wait()
                kills += 1
        async with running(vendor, tmp_path) as server:
            ended = await once(server, batch_id, status="completed")
            output = (await content(server, ended["output_file_id"])).splitlines()
        assert [json.loads(one)["custom_id"] for one in output] == [f"line-{number}" for number in range(LINES)]
        assert LINES <= len(held.asked) <= LINES + kills * AT_ONCE
