"""One round for all who want the same at the same time."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

from runtime.errors import StackError

T = TypeVar("T")


class Rounds(Generic[T]):
    """A round goes on while one of those who wait for it leaves, so it runs without the context of a request."""

    def __init__(self) -> None:
        self._running: dict[Hashable, asyncio.Task[T]] = {}

    async def of(self, key: Hashable, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What `make` returns or raises; that of a running round if there is one. Each who waits is raised an error of
        their own.
        """
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.create_task(make(), context=contextvars.Context())
            task.add_done_callback(lambda ended: self._ended(key, ended))
        try:
            return await asyncio.shield(task)
        except StackError as error:
            raise error.for_another() from None

    def forget(self, key: Hashable) -> None:
        """Begin a new round for whoever asks from now on."""
        self._running.pop(key, None)

    def is_current(self, key: Hashable) -> bool:
        """Whether the round that asks has not been forgotten."""
        return self._running.get(key) is asyncio.current_task()

    def _ended(self, key: Hashable, task: asyncio.Task[T]) -> None:
        if self._running.get(key) is task:
            del self._running[key]
        if not task.cancelled():
            task.exception()  # whoever waited has it; nobody may be left
