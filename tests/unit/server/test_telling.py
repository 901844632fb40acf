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
from runtime.server import telling
from runtime.server.record import ServerRecord

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
class Told:
    """What is told of a stack, by a task that the test may watch."""

    path: Path
    stack: FakeStack = field(default_factory=FakeStack)
    server: Any = field(default_factory=lambda: SimpleNamespace(answering=asyncio.Event(), should_exit=False))
    task: asyncio.Task[None] = field(init=False)

    def begin(self, required: list[str]) -> None:
        self.task = asyncio.create_task(telling.tell(self.server, self.stack, required, ServerRecord(self.path)))  # type: ignore[arg-type]
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
async def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Told]:
    monkeypatch.setattr(telling, "_LOOK_EVERY_S", 0.002)
    found = Told(tmp_path / "record.json")
    yield found
    found.task.cancel()
    await asyncio.gather(found.task, return_exceptions=True)


async def test_what_fails_and_recovers_after_the_start_is_told(told: Told) -> None:
    told.begin([])
    told.stack.awaited = {"llama": 60.0}
    assert (await told.until(lambda record: record["loading"] == ["llama"]))["settled"] is False
    told.stack.awaited = {}
    told.stack.settled.set()
    assert (await told.until(lambda record: record["settled"]))["state"] == "ready"
    told.stack.ailing["vllm"] = "it cannot be reached"  # the same dict, changed
    ailing = await told.until(lambda record: record["state"] == "degraded")
    assert (ailing["degraded"], ailing["reason"]) == ({"vllm": "it cannot be reached"}, "vllm: it cannot be reached")
    told.stack.ailing["vllm"] = "its key was refused"
    await told.until(lambda record: record["reason"] == "vllm: its key was refused")
    del told.stack.ailing["vllm"]
    recovered = await told.until(lambda record: record["state"] == "ready")
    assert (recovered["degraded"], recovered["reason"]) == ({}, None)


async def test_nothing_is_written_while_nothing_changes(told: Told) -> None:
    looks = 0
    count = told.stack.degraded

    def degraded() -> dict[str, str]:
        nonlocal looks
        looks += 1
        return count()

    told.stack.degraded = degraded  # type: ignore[method-assign]
    told.stack.settled.set()
    told.begin([])
    await told.until(lambda record: record["settled"])
    written = told.path.stat().st_mtime_ns
    await told.until(lambda _: looks > 10)
    assert told.path.stat().st_mtime_ns == written


async def test_a_bug_is_logged_once_and_the_next_change_is_told(told: Told, caplog: pytest.LogCaptureFixture) -> None:
    told.stack.settled.set()
    told.stack.fails = True
    told.begin([])
    with caplog.at_level(logging.ERROR, logger="runtime.server"):
        async with asyncio.timeout(LIMIT_S):
            while not caplog.records:
                await asyncio.sleep(0.002)
        told.stack.fails = False
        await told.until(lambda record: record["state"] == "ready")
    assert [record.getMessage() for record in caplog.records] == ["how the stack is cannot be told"]


async def test_once_it_drains_nothing_else_is_said(told: Told) -> None:
    told.stack.settled.set()
    told.begin([])
    await told.until(lambda record: record["state"] == "ready")
    told.server.should_exit = True
    told.stack.ailing = {"vllm": "gone"}
    async with asyncio.timeout(LIMIT_S):
        await told.task
    assert json.loads(told.path.read_text())["state"] == "ready"


async def test_a_required_provider_that_is_not_ready_ends_the_server(told: Told) -> None:
    told.stack.settled.set()
    told.stack.missing = "vllm is down"
    told.begin(["vllm"])
    async with asyncio.timeout(LIMIT_S):
        with pytest.raises(Unavailable, match="vllm is down"):
            await told.task
    assert told.server.should_exit and told.path.read_text() == ""


async def test_a_start_that_fails_ends_the_server(told: Told) -> None:
    told.stack.cannot_start = True
    told.begin([])
    async with asyncio.timeout(LIMIT_S):
        with pytest.raises(RuntimeError, match="a bug"):
            await told.task
    assert told.server.should_exit


async def test_what_is_still_starting_when_the_server_is_stopped_is_no_failure(told: Told) -> None:
    told.stack.missing = "llama is still starting"
    told.begin(["llama"])
    while not told.stack.is_started:
        await asyncio.sleep(0)
    told.server.should_exit = True  # a signal, after which the stack closes
    told.stack.settled.set()
    async with asyncio.timeout(LIMIT_S):
        await told.task
