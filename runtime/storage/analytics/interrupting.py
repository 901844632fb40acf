"""Work in a thread on a database that can be interrupted, and that ends as whoever waits for it leaves."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from runtime.errors import Unavailable

T = TypeVar("T")
_INTERRUPT_AGAIN_S = 0.05


class Connection(Protocol):
    def interrupt(self) -> None: ...


class Interruptible:
    """It can be interrupted before, while and after it runs."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._connection: Connection | None = None
        self._is_interrupted = False

    @contextmanager
    def on(self, connection: Connection) -> Iterator[None]:
        """While it runs on a connection, which is closed after that: one that is closed cannot be interrupted. Raises
        Unavailable if it was interrupted before.
        """
        with self._changing:
            if self._is_interrupted:
                raise Unavailable("the query was ended before it began", code="storage_unavailable")
            self._connection = connection
        try:
            yield
        finally:
            with self._changing:
                self._connection = None

    def interrupt(self) -> None:
        with self._changing:
            self._is_interrupted = True
            if self._connection is not None:
                self._connection.interrupt()


async def answer_of(work: Interruptible, answer: asyncio.Future[T], *, limit_s: float | None = None) -> T:
    """What the thread answers. The work is interrupted when its caller leaves, and after the limit.

    Raises TimeoutError, and what the work raises.
    """
    try:
        async with asyncio.timeout(limit_s):
            return await asyncio.shield(answer)
    finally:
        if not answer.done():
            answer.add_done_callback(_forget)
            _interrupt(work, answer)


def _interrupt(work: Interruptible, answer: asyncio.Future[Any]) -> None:
    """Again and again: what has not quite begun takes no notice. No function of `answer_of`, which would keep itself
    and every answer until the collector of cycles comes by.
    """
    if not answer.done():
        work.interrupt()
        answer.get_loop().call_later(_INTERRUPT_AGAIN_S, _interrupt, work, answer)


def _forget(answer: asyncio.Future[Any]) -> None:
    """What interrupted work says is not for anybody."""
    if not answer.cancelled():
        answer.exception()
