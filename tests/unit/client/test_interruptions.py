"""What interrupts the main thread while it turns an event loop. These tests run there."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from runtime.client import held_signals
from runtime.client.loop_thread import LoopThread
from tests.support.turned_loop import LIMIT_S, MAIN, ask, loop, slow_is_quick, take_turns, where

__all__ = ["loop", "slow_is_quick"]
pytestmark = pytest.mark.usefixtures("slow_is_quick")


@pytest.fixture(params=[signal.SIGINT, signal.SIGUSR1])
def interrupts(request: pytest.FixtureRequest) -> Iterator[tuple[signal.Signals, type[BaseException]]]:
    """A signal whose handler raises something, and what that is."""
    number = request.param

    def handler(*_: object) -> None:
        raise LookupError("of the program")

    theirs: Any = signal.default_int_handler if number == signal.SIGINT else handler
    before = signal.signal(number, theirs)  # other tests leave the one of their event loop
    try:
        yield number, KeyboardInterrupt if number == signal.SIGINT else LookupError
        assert signal.getsignal(number) is theirs
    finally:
        signal.signal(number, before)


def test_a_signal_interrupts_who_waits_and_nothing_on_the_loop(loop: LoopThread, interrupts: Any) -> None:
    number, raised = interrupts
    take_turns(loop)
    seen: list[object] = []

    async def other() -> None:
        signal.raise_signal(number)  # its handler is called here, at once, in this thread
        seen.append(threading.get_ident())
        await asyncio.sleep(0)
        seen.append("whole")

    async def waits() -> None:
        asyncio.ensure_future(other()).add_done_callback(seen.append)
        await asyncio.Event().wait()

    with pytest.raises(raised):
        ask(loop, waits)
    assert ask(loop, where) == MAIN
    assert seen[:2] == [MAIN, "whole"]


def test_a_signal_wakes_up_a_loop_that_rests(loop: LoopThread, interrupts: Any) -> None:
    number, raised = interrupts
    take_turns(loop)
    assert MAIN is not None

    async def waits() -> None:
        asyncio.get_running_loop().run_in_executor(None, signal.pthread_kill, MAIN, number)
        await asyncio.Event().wait()

    with pytest.raises(raised):
        ask(loop, waits)
    assert ask(loop, where) == MAIN


def test_a_handler_that_raises_nothing_interrupts_nothing(loop: LoopThread) -> None:
    handled = asyncio.Event()
    before = signal.signal(signal.SIGUSR1, lambda *_: loop.call(handled.set))
    take_turns(loop)

    async def waits() -> bool:
        signal.raise_signal(signal.SIGUSR1)
        was_held = not handled.is_set()
        await handled.wait()
        return was_held

    try:
        assert ask(loop, waits) is True
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_handler_may_use_the_loop_itself(loop: LoopThread) -> None:
    answers = []
    before = signal.signal(signal.SIGUSR1, lambda *_: answers.append(ask(loop, where)))
    take_turns(loop)

    async def interrupted() -> None:
        signal.raise_signal(signal.SIGUSR1)

    try:
        ask(loop, interrupted)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert answers == [MAIN]


def test_whoever_sends_a_signal_again_gets_out_of_a_loop_that_is_held_up(
    loop: LoopThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_signals, "_PATIENCE_S", 0.0)
    take_turns(loop)

    async def holds_up() -> None:
        signal.raise_signal(signal.SIGINT)
        threading.Event().wait(LIMIT_S)

    with pytest.raises(KeyboardInterrupt):
        ask(loop, holds_up)
    assert ask(loop, where) == MAIN


def test_one_alarm_gets_out_of_a_loop_that_is_held_up(loop: LoopThread, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_signals, "_PATIENCE_S", 0.05)
    take_turns(loop)

    async def holds_up() -> None:
        signal.raise_signal(signal.SIGINT)
        threading.Event().wait(LIMIT_S)

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        ask(loop, holds_up)
    assert time.monotonic() - began < LIMIT_S
    assert ask(loop, where) == MAIN


@pytest.mark.parametrize("how", [SystemExit, KeyboardInterrupt])
def test_what_would_end_a_thread_ends_what_has_raised_it(loop: LoopThread, how: type[BaseException]) -> None:
    async def ends() -> None:
        raise how

    assert isinstance(ask(loop, ends), how)
    take_turns(loop)
    assert isinstance(ask(loop, ends), how)
    assert ask(loop, where) == MAIN
