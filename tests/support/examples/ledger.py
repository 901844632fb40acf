"""A stream whose end is held back until what it was is on disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Protocol

from pydantic import Field

from runtime.apis._api import Api, route
from runtime.apis._request import Request
from runtime.provider import ProviderContext
from runtime.spec import inline
from runtime.sse import End, EventStream, Frames


class CountRequest(Request):
    to: int = Field(description="How far to count.")
    fails: bool = Field(False, description="Whether to stumble at the end.")


class Ledgers(Protocol):
    @route("POST", "/v1/count", ends_with_done=True)
    async def count(self, request: CountRequest) -> EventStream:
        """Count, and keep how it went."""
        ...


class Entry:
    """Notes one stream. write: makes it durable. says: a comment that the stream ends with."""

    def __init__(self, write: Callable[[str], Awaitable[None]], says: bytes | None = None) -> None:
        self._write = write
        self._says = says
        self._events = 0

    async def read(self, frames: Frames) -> Frames:
        self._events += len(frames.events())
        return frames

    async def ended(self, how: End, error: BaseException | None) -> Frames | None:
        await self._write(f"{how} {self._events} {type(error).__name__ if error else '-'}\n")
        return None if self._says is None else Frames(b": %b\n\n" % self._says)


class Ledger:
    """may_go_on: what each number waits for; waits: set when that began; may_write: what a write waits for; asked:
    set when one began. says: what every stream ends with.
    """

    def __init__(self, config: object, context: ProviderContext) -> None:
        self._path = context.state_dir / "ledger"
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self.asked, self.may_write = asyncio.Event(), asyncio.Event()
        self.may_go_on, self.waits = asyncio.Event(), asyncio.Event()
        self.may_write.set()
        self.may_go_on.set()
        self.is_full = False
        self.says: bytes | None = None

    async def count(self, request: CountRequest) -> EventStream:
        async def nothing() -> None:
            pass

        async def numbers() -> AsyncGenerator[Frames, None]:
            for number in range(request.to):
                self.waits.set()
                await self.may_go_on.wait()
                yield Frames.of({"number": number})
            if request.fails:
                raise RuntimeError("lost count")

        return EventStream(numbers(), nothing).through(Entry(self._write, self.says))

    async def _write(self, line: str) -> None:
        self.asked.set()
        await self.may_write.wait()
        if self.is_full:
            raise OSError(28, "No space left on device")
        await asyncio.to_thread(self._append, line)

    def _append(self, line: str) -> None:
        with self._path.open("a") as file:
            file.write(line)

    def lines(self) -> list[str]:
        return self._path.read_text().splitlines() if self._path.exists() else []


APIS = (Api("ledgers", Ledgers),)
SPECS = (("ledgers", inline("ledger", summary="Counts", adapter=f"{__name__}:Ledger")),)
