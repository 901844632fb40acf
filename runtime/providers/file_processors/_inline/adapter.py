"""Reads documents here, in a worker process, with the reader that the spec names."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator

from runtime.apis.file_processors.protocol import ProcessFileRequest
from runtime.provider import ProviderContext
from runtime.providers.file_processors._inline.spec import InlineReader
from runtime.providers.file_processors._readers import read_before
from runtime.providers.file_processors._service.config import ProcessorConfig
from runtime.providers.file_processors._service.incoming import Incoming, kept
from runtime.providers.file_processors._service.options import Options
from runtime.providers.file_processors._service.processor import FileProcessor
from runtime.sse import Reply

_READ_BEFORE = f"{read_before.__name__}:{read_before.read.__name__}"


class InlineFileProcessor(FileProcessor):
    """Where what its reader makes of a document is recorded, it is parsed first, and then cut: a replay cuts for real,
    with the ids and the sizes that are asked for then.
    """

    def __init__(self, config: ProcessorConfig, context: ProviderContext) -> None:
        super().__init__(config, context)
        facts = context.spec.facts
        assert isinstance(facts, InlineReader)
        self._reader = facts.reader
        self._recorded = context.recorded if facts.is_recorded else None

    async def read(self, request: ProcessFileRequest, document: Incoming, options: Options, *, began: float) -> Reply:
        processing = self.processing
        if self._recorded is None:
            return await processing.answer(request, document, options, reader=self._reader, began=began)
        has_waited = False

        async def parse() -> Reply:
            nonlocal has_waited
            has_waited = True
            return await processing.parsed(request, document, options, reader=self._reader)

        asked = {"sha256": await asyncio.to_thread(_digest, document), **processing.reading(document, options)}
        parsed = await self._recorded("read_document", asked, parse, check=read_before.check)
        async with kept(_in_one_piece(parsed.data), limit_bytes=len(parsed.data)) as to_cut:
            return await processing.answer(
                request, document, options, reader=_READ_BEFORE, began=began, readable=to_cut, has_waited=has_waited
            )


def _digest(document: Incoming) -> str:
    document.file.seek(0)
    return hashlib.file_digest(document.file, "sha256").hexdigest()  # type: ignore[arg-type]  # it is a file in binary


async def _in_one_piece(data: bytes) -> AsyncIterator[bytes]:
    yield data
