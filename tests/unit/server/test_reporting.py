"""The record says how the stack is now, not how it was when it started. The stack is a stand-in that can change."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio

from runtime.errors import Unavailable
from runtime.server import reporting
from runtime.server.masking import Hidden
from runtime.server.record import ServerRecord
from runtime.telemetry import conventions as names
from runtime.telemetry.last_hour import LastHour
from runtime.telemetry.spans import begin_trace
from tests.unit.telemetry._seen import Seen

LIMIT_S = 10.0


class FakeStack:
    def __init__(self) -> None:
        self.settled = asyncio.Event()
        self.ailing: dict[str, str] = {}
        self.awaited: dict[str, float] = {}
        self.fails = False
        self.missing: str | None = None
        self.cannot_start = False
        self.is_started = False
        self.on_change: Callable[[], None] = lambda: None
        self.last_hour: LastHour | None = None

    def start(self) -> None:
        if self.cannot_start:
            raise RuntimeError("a bug")
        self.is_started = True

    def degraded(self) -> dict[str, str]:
        if self.fails:
            raise RuntimeError("a bug")
        return self.ailing

    def loading(self) -> dict[str, float]:
        return self.awaited

    async def check_required(self, provider_ids: Any) -> None:
        if self.missing is not None:
            raise Unavailable(self.missing)


@dataclass
class Reported:
    """The record of a stack, written by a task that the test may watch."""

    path: Path
    stack: FakeStack = field(default_factory=FakeStack)
    server: Any = field(default_factory=lambda: SimpleNamespace(answering=asyncio.Event(), should_exit=False))
    task: asyncio.Task[None] = field(init=False)

    def begin(self, required: list[str]) -> None:
        stack: Any = self.stack
        self.task = asyncio.create_task(
            reporting.report(self.server, stack, required, ServerRecord(self.path), Hidden())
        )
        self.server.answering.set()

    async def until(self, says: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The record, once it says that."""
        async with asyncio.timeout(LIMIT_S):
            while True:
                text = self.path.read_text()
                if text and says(found := json.loads(text)):
                    return found
                await asyncio.sleep(0.002)


@pytest_asyncio.fixture
async def reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Reported]:
    monkeypatch.setattr(reporting, "_INTERVAL_S", 0.002)
    found = Reported(tmp_path / "record.json")
    yield found
    found.task.cancel()
    await asyncio.gather(found.task, return_exceptions=True)


async def test_what_fails_and_recovers_after_the_start_is_reported(reported: Reported) -> None:
    reported.begin([])
    reported.stack.awaited = {"llama": 60.0}
    assert (await reported.until(lambda record: record["loading"] == ["llama"]))["settled"] is False
    reported.stack.awaited = {}
    reported.stack.settled.set()
    assert (await reported.until(lambda record: record["settled"]))["state"] == "ready"
    reported.stack.ailing["vllm"] = "it cannot be reached"  # the same dict, changed
    ailing = await reported.until(lambda record: record["state"] == "degraded")
    assert (ailing["degraded"], ailing["reason"]) == ({"vllm": "it cannot be reached"}, "vllm: it cannot be reached")
    reported.stack.ailing["vllm"] = "its key was refused"
    await reported.until(lambda record: record["reason"] == "vllm: its key was refused")
    del reported.stack.ailing["vllm"]
    recovered = await reported.until(lambda record: record["state"] == "ready")
    assert (recovered["degraded"], recovered["reason"]) == ({}, None)


async def test_nothing_is_written_while_nothing_changes(reported: Reported) -> None:
    looks = 0
    count = reported.stack.degraded

    def degraded() -> dict[str, str]:
        nonlocal looks
        looks += 1
        return count()

    reported.stack.degraded = degraded  # type: ignore[method-assign]
    reported.stack.settled.set()
    reported.begin([])
    await reported.until(lambda record: record["settled"])
    written = reported.path.stat().st_mtime_ns
    await reported.until(lambda _: looks > 10)
    assert reported.path.stat().st_mtime_ns == written


async def test_what_becomes_of_a_provider_is_in_the_record_before_anybody_is_told(
    reported: Reported, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, "_INTERVAL_S", 3600.0)
    reported.stack.settled.set()
    reported.begin([])
    await reported.until(lambda record: record["state"] == "ready")
    reported.stack.ailing = {"vllm": "gone"}
    reported.stack.on_change()
    assert json.loads(reported.path.read_text())["degraded"] == {"vllm": "gone"}
    reported.stack.ailing = {}
    reported.server.should_exit = True  # draining, and that stays
    reported.stack.on_change()
    assert json.loads(reported.path.read_text())["state"] == "degraded"


async def test_a_bug_is_logged_once_and_the_next_change_is_reported(
    reported: Reported, caplog: pytest.LogCaptureFixture
) -> None:
    reported.stack.settled.set()
    reported.stack.fails = True
    reported.begin([])
    with caplog.at_level(logging.ERROR, logger="runtime.server"):
        async with asyncio.timeout(LIMIT_S):
            while not caplog.records:
                await asyncio.sleep(0.002)
        reported.stack.fails = False
        await reported.until(lambda record: record["state"] == "ready")
    assert [record.getMessage() for record in caplog.records] == ["the state of the stack cannot be read"]


async def test_once_it_drains_nothing_else_is_written(reported: Reported) -> None:
    reported.stack.settled.set()
    reported.begin([])
    await reported.until(lambda record: record["state"] == "ready")
    reported.server.should_exit = True
    reported.stack.ailing = {"vllm": "gone"}
    async with asyncio.timeout(LIMIT_S):
        await reported.task
    assert json.loads(reported.path.read_text())["state"] == "ready"


async def test_a_required_provider_that_is_not_ready_ends_the_server(reported: Reported) -> None:
    reported.stack.settled.set()
    reported.stack.missing = "vllm is down"
    reported.begin(["vllm"])
    async with asyncio.timeout(LIMIT_S):
        with pytest.raises(Unavailable, match="vllm is down"):
            await reported.task
    assert reported.server.should_exit and reported.path.read_text() == ""


async def test_a_start_that_fails_ends_the_server(reported: Reported) -> None:
    reported.stack.cannot_start = True
    reported.begin([])
    async with asyncio.timeout(LIMIT_S):
        with pytest.raises(RuntimeError, match="a bug"):
            await reported.task
    assert reported.server.should_exit


async def test_what_is_still_starting_when_the_server_is_stopped_is_no_failure(reported: Reported) -> None:
    reported.stack.missing = "llama is still starting"
    reported.begin(["llama"])
    while not reported.stack.is_started:
        await asyncio.sleep(0)
    reported.server.should_exit = True  # a signal, after which the stack closes
    reported.stack.settled.set()
    async with asyncio.timeout(LIMIT_S):
        await reported.task


async def test_it_says_what_the_last_hour_was_like(reported: Reported) -> None:
    reported.begin([])
    assert (await reported.until(lambda found: found["state"] == "ready"))["last_hour"] is None
    reported.stack.last_hour = hour = LastHour()
    asked = begin_trace(Seen(), "POST /", {names.METHOD: "POST", names.STATUS: 500}, request_id="req_1")
    asked.end()
    await hour.export([asked], 0)
    said = (await reported.until(lambda found: found["last_hour"] is not None))["last_hour"]
    assert (said["requests"], said["errors"], said["output_tokens"]) == (1, 1, 0)
