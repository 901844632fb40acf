"""Chunks as they arrive, collected until there are enough to be worth a call elsewhere."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable


async def batches(chunks: AsyncIterable[bytes], size_bytes: int) -> AsyncGenerator[list[bytes], None]:
    """Lists of chunks with at least so many bytes, and the rest."""
    waiting: list[bytes] = []
    waiting_bytes = 0
    async for chunk in chunks:
        waiting.append(chunk)
        waiting_bytes += len(chunk)
        if waiting_bytes >= size_bytes:
            yield waiting
            waiting, waiting_bytes = [], 0
    if waiting:
        yield waiting
