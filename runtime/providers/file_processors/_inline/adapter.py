"""Reads documents here, in a worker process, with the reader that the spec names."""

from __future__ import annotations

import time

from runtime.apis.file_processors import ProcessFileRequest, ProcessFileResponse
from runtime.provider import ProviderContext
from runtime.providers.file_processors._inline.spec import InlineReader
from runtime.providers.file_processors._service.config import ProcessorConfig
from runtime.providers.file_processors._service.options import options_of
from runtime.providers.file_processors._service.processing import Processing


class InlineFileProcessor:
    """Raises RequestError (400) with the reason why a document cannot be read, TooLarge (413) for a larger file than
    allowed, RateLimited (429) if too many wait.
    """

    def __init__(self, config: ProcessorConfig, context: ProviderContext) -> None:
        facts = context.spec.facts
        assert isinstance(facts, InlineReader)
        self._reader = facts.reader
        self._processing = Processing(config, context)

    async def process_file(self, request: ProcessFileRequest) -> ProcessFileResponse:
        began = time.perf_counter()
        async with self._processing.received(request) as document:
            options = options_of(request.options, allow_others=False)  # fields of a form may come after its file
            return await self._processing.answer(request, document, options, reader=self._reader, began=began)

    async def stop(self) -> None:
        """End the workers."""
        await self._processing.stop()
