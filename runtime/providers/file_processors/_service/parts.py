"""Bytes of any length in a store of keys and values, cut into parts that any of its backends takes."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator

from runtime.errors import NotFound, TooLarge
from runtime.storage.kv import KeyValueStore

PART_BYTES = 512 * 1024


class Parts:
    """ttl_s: in seconds; what was not removed before is gone after that."""

    def __init__(self, store: KeyValueStore, *, ttl_s: float) -> None:
        self._store = store
        self._ttl_s = ttl_s

    async def keep(self, name: str, chunks: AsyncIterable[bytes], *, limit_bytes: int) -> int:
        """Keep bytes under a name, and return how many parts they have; they are on disk then. What was interrupted is
        removed. Raises TooLarge beyond the limit, Unavailable, and what reading `chunks` raises.
        """
        count, size, waiting = 0, 0, bytearray()
        try:
            async for chunk in chunks:
                size += len(chunk)
                if size > limit_bytes:
                    raise TooLarge(f"The file is larger than {limit_bytes} bytes", param="file")
                waiting += chunk
                while len(waiting) >= PART_BYTES:
                    await self._put(name, count, waiting[:PART_BYTES])
                    del waiting[:PART_BYTES]
                    count += 1
            await self._put(name, count, waiting)
        except BaseException:
            await self.remove(name, count + 1)  # one may be written although it was not acknowledged
            raise
        return count + 1

    async def read(self, name: str, count: int) -> AsyncIterator[bytes]:
        """The bytes again, part by part. Raises NotFound if they are gone, Unavailable."""
        for number in range(count):
            part = await self._store.get(_key(name, number))
            if part is None:
                raise NotFound(f"What was kept as `{name}` is there no more", code="expired")
            yield part

    async def remove(self, name: str, count: int) -> None:
        """Raises Unavailable."""
        for number in range(count):
            await self._store.delete(_key(name, number))

    async def _put(self, name: str, number: int, part: bytes | bytearray) -> None:
        await self._store.set(_key(name, number), bytes(part), ttl_s=self._ttl_s)


def _key(name: str, number: int) -> str:
    return f"{name}:{number:06d}"
