"""An event loop that the main thread turns while it waits. These tests run in the main thread."""

from __future__ import annotations

import asyncio
import queue
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from runtime.client import held_signals, turns
from runtime.client.inbox import Inbox
from runtime.client.loop_thread import LoopThread
from runtime.errors import Unavailable

LIMIT_S = 20.0
MAIN = threading.main_thread().ident
Work = Callable[[], Awaitable[object]]


@pytest.fixture(autouse=True)
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


@pytest.fixture(params=[signal.SIGINT, signal.SIGUSR1])
def interrupts(request: pytest.FixtureRequest) -> Iterator[tuple[signal.Signals, type[BaseException]]]:
    """A signal whose handler raises something, and what that is."""
    number = request.param

    def handler(*_: object) -> None:
        raise LookupError("of the program")

    if number == signal.SIGINT:
        assert signal.getsignal(number) is signal.default_int_handler
        yield number, KeyboardInterrupt
        assert signal.getsignal(number) is signal.default_int_handler
        return
    before = signal.signal(number, handler)
    yield number, LookupError
    assert signal.getsignal(number) is handler
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


@pytest.mark.parametrize("how", [SystemExit, KeyboardInterrupt])
def test_what_would_end_a_thread_ends_what_has_raised_it(loop: LoopThread, how: type[BaseException]) -> None:
    async def ends() -> None:
        raise how

    assert isinstance(ask(loop, ends), how)
    take_turns(loop)
    assert isinstance(ask(loop, ends), how)
    assert ask(loop, where) == MAIN


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
