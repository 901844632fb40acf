"""Does together what comes meanwhile: while one group is worked on, the next one gathers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from runtime.errors import StackError

S = TypeVar("S")
T = TypeVar("T")


class InGroups(Generic[S, T]):
    """work: what is done with a group, and what comes of each thing of it, in order. at_once: how many groups are
    worked on at a time. most: how many things a group has.
    """

    def __init__(self, work: Callable[[list[S]], Awaitable[Sequence[T]]], *, at_once: int, most: int) -> None:
        self._work = work
        self._most = most
        self._turns = asyncio.Semaphore(at_once)
        self._waiting: dict[asyncio.Future[T], S] = {}

    async def do(self, thing: S) -> T:
        """What comes of it. Raises what the work raises, also to the others of the group."""
        mine: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting[mine] = thing
        try:
            async with self._turns:
                while mine in self._waiting:
                    group = [*self._waiting][: self._most]
                    await self._worked(group, [self._waiting.pop(one) for one in group])
            return await mine
        finally:
            self._waiting.pop(mine, None)

    async def _worked(self, group: list[asyncio.Future[T]], things: list[S]) -> None:
        try:
            found = await self._work(things)
        except Exception as error:
            for one in group:
                if not one.done():
                    one.set_exception(error.for_another() if isinstance(error, StackError) else error)
                    one.exception()  # who has left does not ask for it
        except BaseException:
            for one in group:
                one.cancel()
            raise
        else:
            for one, result in zip(group, found, strict=True):
                if not one.done():
                    one.set_result(result)
