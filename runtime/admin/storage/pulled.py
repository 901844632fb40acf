"""Bytes that come asynchronously, for code that reads them in a thread; and the other way round."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, Protocol

AT_ONCE = 1024**2


class Pulled(io.RawIOBase):
    """What a generator on an event loop gives, to be read from another thread. It raises what the generator raises."""

    def __init__(self, content: AsyncGenerator[bytes, None], loop: asyncio.AbstractEventLoop) -> None:
        self._content = content
        self._loop = loop
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            data = asyncio.run_coroutine_threadsafe(anext(self._content, None), self._loop).result()
            if data is None:
                return 0
            self._rest = data
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


class Readable(Protocol):
    """Gives bytes, none at its end."""

    def read(self, size: int, /) -> bytes: ...


async def pieces_of(stream: Readable) -> AsyncIterator[bytes]:
    """All of a stream, read in a thread."""
    while data := await asyncio.to_thread(stream.read, AT_ONCE):
        yield data
