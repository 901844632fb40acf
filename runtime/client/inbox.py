"""What a thread is told by an event loop, which the program's main thread turns itself while it waits.

It does so where one answer follows the other at once. Else the loop's own thread would have to be stopped for each, and
begin again after it, which costs as much as to hand the work over to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sys
import threading
import time
from functools import partial
from typing import Generic, TypeVar

from runtime.client import turns
from runtime.client.held_signals import held_signals
from runtime.client.turns import Turns

T = TypeVar("T")
_NO_HOOKS = (None, None)
"""Any event loop sets some, whichever library it is of."""


class Inbox(Generic[T]):
    """Of one thread, which alone calls `get`."""

    def __init__(self, of: Turns) -> None:
        self._turns = of
        self._queue: queue.SimpleQueue[list[T]] = queue.SimpleQueue()
        self._is_turned_for = False

    def put(self, told: list[T]) -> None:
        """Called on the loop."""
        self._queue.put(told)
        if self._is_turned_for:
            self._turns.stop()

    def get(self, limit_s: float | None) -> list[T]:
        """What is told next. Raises TimeoutError after `limit_s`, and what the handler of a signal raises."""
        began = now = time.monotonic()
        until = None if limit_s is None else began + limit_s
        may_turn = _may_turn()
        is_quick = may_turn and began < self._turns.quick_until
        while not (told := self._next(until, is_quick=is_quick)):
            now = time.monotonic()
            if until is not None and now >= until:
                raise TimeoutError
        if may_turn:
            now = time.monotonic()
            self._turns.quick_until = now + turns.LOOK_S if now - began < turns.LOOK_S else 0.0
        return told

    def _next(self, until: float | None, *, is_quick: bool) -> list[T]:
        """What is told now; nothing where it is worth another look."""
        if is_quick and self._queue.empty() and not self._turns.are_awaited:
            if self._turns.are_free:
                self._turn(until)
                return [] if self._queue.empty() else self._queue.get()
            self._turns.ask(partial(self._queue.put, []))
        if not self._queue.empty():
            return self._queue.get()
        with self._turns.waiting(), contextlib.suppress(queue.Empty):
            return self._queue.get(timeout=_left_s(until))
        return []

    def _turn(self, until: float | None) -> None:
        """Turn the loop until something is told, unless somebody else does. Raises what a signal's handler raises."""
        held_signals.hold(self._turns.stop_soon)
        try:
            if not self._turns.take():
                return
            self._is_turned_for = True
            try:
                while self._queue.empty() and not (self._turns.has_ended or held_signals.are_there):
                    if (left_s := _left_s(until)) == 0.0:
                        return
                    self._turns.turn(left_s)
            finally:
                self._is_turned_for = False
                self._turns.leave()
        finally:
            held_signals.let_go()


def _left_s(until: float | None) -> float | None:
    return None if until is None else max(0.0, until - time.monotonic())


def _may_turn() -> bool:
    """Whether this is the main thread, in the middle of no event loop and of no `except`, and with room to call more.

    What raises exceptions in the middle of somebody else's work can be held for the main thread, and for no other. One
    that is being handled would be the context of each that is raised on the loop.
    """
    if threading.get_ident() != threading.main_thread().ident or sys.exception() is not None:
        return False
    if sys.get_asyncgen_hooks() != _NO_HOOKS or asyncio._get_running_loop() is not None:
        return False
    try:
        sys._getframe(sys.getrecursionlimit() // 2)
    except ValueError:  # there are not so many callers
        return True
    return False
