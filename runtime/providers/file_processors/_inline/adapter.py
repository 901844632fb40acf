"""Reads documents here, in a worker process, with the reader that the spec names."""

from __future__ import annotations

from runtime.apis.file_processors.protocol import ProcessFileRequest
from runtime.provider import ProviderContext
from runtime.providers.file_processors._inline.spec import InlineReader
from runtime.providers.file_processors._service.config import ProcessorConfig
from runtime.providers.file_processors._service.incoming import Incoming
from runtime.providers.file_processors._service.options import Options
from runtime.providers.file_processors._service.processor import FileProcessor
from runtime.sse import Reply


class InlineFileProcessor(FileProcessor):
    def __init__(self, config: ProcessorConfig, context: ProviderContext) -> None:
        super().__init__(config, context)
        facts = context.spec.facts
        assert isinstance(facts, InlineReader)
        self._reader = facts.reader

    async def read(self, request: ProcessFileRequest, document: Incoming, options: Options, *, began: float) -> Reply:
        return await self.processing.answer(request, document, options, reader=self._reader, began=began)
