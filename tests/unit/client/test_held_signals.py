"""Handlers of a program that stand aside for a while. These tests run in the main thread."""

from __future__ import annotations

import _signal
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from runtime.client.held_signals import HeldSignals

ONE, TWO = signal.SIGUSR1, signal.SIGUSR2
Say = Callable[[str], Callable[..., None]]


@pytest.fixture
def seen() -> Iterator[list[str]]:
    """What the program's handlers have been called for: each of its own is put back."""
    before = {number: signal.getsignal(number) for number in (ONE, TWO)}
    yield []
    for number, handler in before.items():
        signal.signal(number, handler)


def raising(seen: list[str], error: BaseException | None = None) -> Callable[..., None]:
    def handler(number: int, frame: Any) -> None:
        seen.append(f"{signal.Signals(number).name} in {frame.f_code.co_name}")
        if error is not None:
            raise error

    return handler


def comes_here(number: int) -> None:
    signal.raise_signal(number)


def test_what_comes_meanwhile_is_told_afterwards_where_it_came(seen: list[str]) -> None:
    handler = raising(seen)
    signal.signal(ONE, handler)
    held, stopped = HeldSignals(), []
    held.hold(lambda: stopped.append("stopped"))
    comes_here(ONE)
    comes_here(ONE)
    assert not seen and held.are_there and stopped == ["stopped"] * 2
    held.let_go()
    assert seen == ["SIGUSR1 in comes_here"] and not held.are_there  # as the system itself counts them
    assert signal.getsignal(ONE) is handler
    comes_here(ONE)
    assert len(seen) == 2


def test_each_is_told_also_where_one_raises(seen: list[str]) -> None:
    signal.signal(ONE, raising(seen, LookupError("one")))
    signal.signal(TWO, raising(seen, LookupError("two")))
    held = HeldSignals()
    held.hold(lambda: None)
    comes_here(ONE)
    comes_here(TWO)
    with pytest.raises(LookupError):
        held.let_go()
    assert sorted(seen) == ["SIGUSR1 in comes_here", "SIGUSR2 in comes_here"] and not held.are_there


def test_what_the_program_does_not_handle_is_left_alone(seen: list[str]) -> None:
    signal.signal(ONE, signal.SIG_IGN)
    signal.signal(TWO, signal.SIG_DFL)
    held = HeldSignals()
    held.hold(lambda: None)
    assert (signal.getsignal(ONE), signal.getsignal(TWO)) == (signal.SIG_IGN, signal.SIG_DFL)
    held.let_go()
    assert (signal.getsignal(ONE), signal.getsignal(TWO)) == (signal.SIG_IGN, signal.SIG_DFL)


def test_a_handler_that_is_new_each_time_is_the_one_that_is_called(seen: list[str]) -> None:
    held = HeldSignals()
    for number in (ONE, TWO):
        signal.signal(number, raising(seen))
        held.hold(lambda: None)
        comes_here(number)
        held.let_go()
    assert seen == ["SIGUSR1 in comes_here", "SIGUSR2 in comes_here"]


def test_one_that_is_put_there_meanwhile_stays(seen: list[str]) -> None:
    signal.signal(ONE, raising([]))
    held, newer = HeldSignals(), raising(seen)
    held.hold(lambda: None)
    signal.signal(ONE, newer)
    held.let_go()
    assert signal.getsignal(ONE) is newer


def test_one_that_comes_before_its_handler_stands_aside_leaves_everything_as_it_was(
    seen: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = raising(seen), raising(seen, LookupError("two"))
    signal.signal(ONE, one)
    signal.signal(TWO, two)
    held, put = HeldSignals(), _signal.signal

    def slow(number: int, handler: Any) -> Any:
        if number == TWO:
            comes_here(TWO)
        return put(number, handler)

    with monkeypatch.context() as patched:
        patched.setattr(_signal, "signal", slow)
        with pytest.raises(LookupError):
            held.hold(lambda: None)
    assert (signal.getsignal(ONE), signal.getsignal(TWO)) == (one, two)
    comes_here(ONE)
    assert seen == ["SIGUSR2 in comes_here", "SIGUSR1 in comes_here"]
