"""The same work for several things, so many at once; the first failure ends the others. Imports nothing of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")


async def concurrently(work: Callable[[S], Awaitable[T]], things: Iterable[S], *, at_once: int) -> list[T]:
    """The results, in the order of the things. Raises the Exception that ended the others."""
    places = asyncio.Semaphore(at_once)

    async def one(thing: S) -> T:
        async with places:
            return await work(thing)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(thing)) for thing in things]
    except* Exception as several:
        raise first_of(several) from None
    return [task.result() for task in tasks]


def first_of(several: BaseExceptionGroup[Exception]) -> Exception:
    """The first exception of a group, however deep in it."""
    error: BaseException = several
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, Exception)
    return error
