"""Which thread turns an event loop. These tests run in the main thread."""

from __future__ import annotations

import asyncio
import queue
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from runtime.client import turns
from runtime.client.loop_thread import LoopThread
from tests.support.turned_loop import LIMIT_S, MAIN, ask, begin, loop, slow_is_quick, take_turns, where

__all__ = ["loop", "slow_is_quick"]
pytestmark = pytest.mark.usefixtures("slow_is_quick")


def test_what_is_answered_soon_after_the_other_is_answered_in_the_thread_that_waits(loop: LoopThread) -> None:
    assert ask(loop, where) != MAIN
    take_turns(loop)
    assert {ask(loop, where) for _ in range(10)} == {MAIN}


def test_what_is_not_soon_stays_with_the_loops_own_thread(loop: LoopThread, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "LOOK_S", 0.0)
    threads = {ask(loop, where) for _ in range(10)}
    assert len(threads) == 1 and threads != {MAIN}


def test_what_nobody_waits_for_goes_on(loop: LoopThread, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where whoever reads a stream pauses. The main thread has turned the loop for long before."""
    take_turns(loop)
    loop.run(where())
    monkeypatch.setattr(turns, "LOOK_S", 0.005)
    ticks: queue.SimpleQueue[int] = queue.SimpleQueue()

    async def tick() -> None:
        while True:
            await asyncio.sleep(0.001)
            ticks.put(threading.get_ident())

    async def begins() -> asyncio.Task[None]:
        while threading.get_ident() != MAIN or not loop._turns._is_keeper_asleep:
            await asyncio.sleep(0)
        return asyncio.ensure_future(tick())

    ticking = ask(loop, begins)
    threads = {ticks.get(timeout=LIMIT_S) for _ in range(10)}
    loop.call(ticking.cancel)
    assert len(threads) == 1 and threads != {MAIN}


def in_an_event_loop(ask_where: Callable[[], Any]) -> Any:
    async def notebook() -> Any:
        return ask_where()

    return asyncio.run(notebook())


def in_an_exception(ask_where: Callable[[], Any]) -> Any:
    try:
        raise LookupError
    except LookupError:
        return ask_where()


def deep_down(ask_where: Callable[[], Any], depth: int = sys.getrecursionlimit() * 2 // 3) -> Any:
    return deep_down(ask_where, depth - 1) if depth else ask_where()


def in_another_thread(ask_where: Callable[[], Any]) -> Any:
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(ask_where()))
    thread.start()
    thread.join(LIMIT_S)
    return answers[0]


@pytest.mark.parametrize("place", [in_an_event_loop, in_an_exception, deep_down, in_another_thread])
def test_where_no_loop_can_be_turned_its_own_thread_does_so(
    loop: LoopThread, place: Callable[[Callable[[], Any]], Any]
) -> None:
    take_turns(loop)
    own = {place(lambda: ask(loop, where)) for _ in range(3)}
    assert len(own) == 1 and own.isdisjoint({MAIN, None})


def test_other_threads_are_answered_by_the_main_thread_while_it_waits(loop: LoopThread) -> None:
    take_turns(loop)
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda: answers.append(ask(loop, where))) for _ in range(4)]

    async def waits() -> None:
        for thread in threads:
            thread.start()
        for thread in threads:
            await asyncio.to_thread(thread.join, LIMIT_S)

    ask(loop, waits)
    assert answers == [MAIN] * 4


def test_what_others_wait_for_goes_on_when_the_main_thread_has_its_answer(loop: LoopThread) -> None:
    take_turns(loop)
    answers: list[Any] = []

    async def until_other_thread() -> int:
        while threading.get_ident() == MAIN:
            await asyncio.sleep(0)
        return threading.get_ident()

    thread = threading.Thread(target=lambda: answers.append(ask(loop, until_other_thread)))

    async def until_it_waits() -> None:
        thread.start()
        while not loop._turns.are_awaited:
            await asyncio.sleep(0)

    ask(loop, until_it_waits)
    thread.join(LIMIT_S)
    assert len(answers) == 1


def test_the_main_thread_does_not_turn_what_others_wait_for(loop: LoopThread) -> None:
    """It would have to be handed to them again afterwards."""
    take_turns(loop)
    goes_on = asyncio.Event()

    async def waits() -> int:
        await goes_on.wait()
        return threading.get_ident()

    waiting, answers = threading.Event(), []

    def another() -> None:
        inbox = begin(loop, waits)
        waiting.set()
        answers.extend(inbox.get(LIMIT_S))

    thread = threading.Thread(target=another)
    thread.start()
    assert waiting.wait(LIMIT_S)
    while not loop._turns.are_awaited:
        pass  # a few bytecodes of the other thread
    here = ask(loop, where)
    loop.call(goes_on.set)
    thread.join(LIMIT_S)
    assert answers == [here] != [MAIN]


def test_it_is_stopped_by_another_thread_while_the_main_thread_waits(loop: LoopThread) -> None:
    take_turns(loop)
    stopping = threading.Thread(target=loop.stop)

    async def waits() -> None:
        stopping.start()
        await asyncio.Event().wait()

    assert isinstance(ask(loop, waits), asyncio.CancelledError)
    stopping.join(LIMIT_S)
    assert not stopping.is_alive()


def test_what_comes_too_late_is_a_timeout_and_no_more(loop: LoopThread) -> None:
    take_turns(loop)
    comes = asyncio.Event()
    inbox = begin(loop, comes.wait)
    with pytest.raises(TimeoutError):
        inbox.get(0.01)
    assert ask(loop, where) == MAIN
    loop.call(comes.set)
    assert inbox.get(LIMIT_S) == [True]


def test_what_runs_on_the_loop_does_not_wait_for_it(loop: LoopThread) -> None:
    async def waits() -> None:
        assert loop.is_here
        loop.run(where())

    take_turns(loop)
    assert not loop.is_here
    error = ask(loop, waits)
    assert isinstance(error, RuntimeError) and "cannot wait for it" in str(error)


def test_what_is_in_the_middle_of_a_loops_lock_does_not_wait_for_the_loop(loop: LoopThread) -> None:
    """As what a garbage collection runs there: whoever turns the loop could go no further."""
    with loop._turns.lock, pytest.raises(RuntimeError, match="cannot wait for it"):
        loop.run(where())
