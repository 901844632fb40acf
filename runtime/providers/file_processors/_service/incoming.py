"""A document on its way in: kept in a file without a name, so that nothing is left behind however it ends."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import IO

from runtime.errors import StackError, TooLarge
from runtime.temporary import writing_temporary

_NAME_CHARACTERS = 255


@dataclass(frozen=True, kw_only=True)
class Incoming:
    """file: the whole document. filename, content_type: as the caller says. file_id: of a stored file."""

    file: IO[bytes]
    size_bytes: int
    filename: str = ""
    content_type: str = ""
    file_id: str | None = None


@asynccontextmanager
async def kept(
    chunks: AsyncIterable[bytes],
    *,
    limit_bytes: int,
    too_large: Callable[[], StackError] | None = None,
    filename: str = "",
    content_type: str = "",
    file_id: str | None = None,
) -> AsyncIterator[Incoming]:
    """Keep a document for as long as it is used. Raises `too_large()` beyond the limit, by default TooLarge,
    Unavailable if the disk is full, and what reading `chunks` raises.
    """
    with writing_temporary():
        made = tempfile.TemporaryFile()  # noqa: SIM115  # closed below; made at once, what takes long is in threads
    with made as file:
        size = 0
        async for chunk in chunks:
            size += len(chunk)
            if size > limit_bytes:
                raise (
                    too_large() if too_large else TooLarge(f"The file is larger than {limit_bytes} bytes", param="file")
                )
            with writing_temporary():
                await asyncio.to_thread(file.write, chunk)
        with writing_temporary():
            await asyncio.to_thread(file.flush)
        yield Incoming(
            file=file,
            size_bytes=size,
            filename=filename[-_NAME_CHARACTERS:],
            content_type=content_type,
            file_id=file_id,
        )
