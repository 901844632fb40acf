"""How the outcomes of what a thread has done reach the event loops that wait for them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

from runtime.storage.slots import Slots


class Pending(Protocol):
    """What somebody waits for. future: gets its outcome, in `loop`. slots: where it has one, None if it needs none."""

    @property
    def future(self) -> asyncio.Future[Any]: ...

    @property
    def slots(self) -> Slots | None: ...

    @property
    def loop(self) -> asyncio.AbstractEventLoop: ...


def return_outcomes(batch: Sequence[Pending], outcomes: Sequence[Any]) -> None:
    """Return the outcomes to the callers, waking each event loop once. An exception is raised where it is awaited."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[Pending, Any]]] = {}
    for pending, outcome in zip(batch, outcomes, strict=True):
        by_loop.setdefault(pending.loop, []).append((pending, outcome))
    for loop, answers in by_loop.items():
        try:
            loop.call_soon_threadsafe(_settle, answers)
        except RuntimeError:
            # The loop is closed: nothing waits any more, and what was to be done is done.
            continue


def _settle(answers: Sequence[tuple[Pending, Any]]) -> None:
    for pending, outcome in answers:
        future = pending.future
        if future.done():  # cancelled: the caller left before the outcome
            if pending.slots is not None:
                pending.slots.give_back()
        elif isinstance(outcome, BaseException):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
