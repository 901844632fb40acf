"""An event loop that the main thread may turn, asked by tests that run there."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from runtime.client import turns
from runtime.client.inbox import Inbox
from runtime.client.loop_thread import LoopThread
from runtime.errors import Unavailable

LIMIT_S = 20.0
MAIN = threading.main_thread().ident
Work = Callable[[], Awaitable[object]]


@pytest.fixture
def slow_is_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow this machine is; and what only time would bring about does not come about."""
    monkeypatch.setattr(turns, "LOOK_S", 2 * LIMIT_S)


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    thread = LoopThread("of a test")
    yield thread
    thread.stop(limit_s=LIMIT_S)
    with pytest.raises(Unavailable):
        thread.call(lambda: None)


def begin(loop: LoopThread, work: Work) -> Inbox[Any]:
    """Where the answer comes, or what is raised instead."""
    inbox: Inbox[Any] = loop.inbox()
    tasks = set()

    async def answer() -> None:
        try:
            inbox.put([await work()])
        except BaseException as error:
            inbox.put([error])
            raise

    def start() -> None:
        tasks.add(task := asyncio.ensure_future(answer()))
        task.add_done_callback(lambda task: task.cancelled() or task.exception())

    loop.call(start)
    return inbox


def ask(loop: LoopThread, work: Work) -> Any:
    (answer,) = begin(loop, work).get(LIMIT_S)
    return answer


async def where() -> int:
    """The thread that turns the loop."""
    await asyncio.sleep(0)
    return threading.get_ident()


async def until_main_thread() -> None:
    while threading.get_ident() != MAIN:
        await asyncio.sleep(0)


def take_turns(loop: LoopThread) -> None:
    """From now on, whatever the main thread waits for, it does."""
    ask(loop, where)
    ask(loop, until_main_thread)
