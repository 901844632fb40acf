"""Sends a document to another server, and has its answer read and cut as a document is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from runtime.apis.file_processors.protocol import ProcessFileRequest
from runtime.errors import UpstreamError
from runtime.http.forms import FormFile
from runtime.http.transport import Exchange
from runtime.provider import ProviderContext
from runtime.providers.file_processors._service.config import ProcessorConfig
from runtime.providers.file_processors._service.incoming import Incoming, kept
from runtime.providers.file_processors._service.options import Options
from runtime.providers.file_processors._service.processor import FileProcessor
from runtime.sse import Reply

_READ_BYTES = 256 * 1024


class Vendor(Protocol):
    """A server that reads documents. reader: what reads its answer, as `module:function`."""

    reader: str

    async def answer(self, document: Incoming, options: Options) -> Exchange:
        """Its answer about a document, for the caller to close. Raises UpstreamError and what `HttpClient` raises."""
        ...


class RemoteFileProcessor(FileProcessor):
    """Raises what the vendor raises too."""

    allow_others = True

    def __init__(self, vendor: Vendor, config: ProcessorConfig, context: ProviderContext) -> None:
        super().__init__(config, context)
        self._vendor = vendor
        self._provider_id = context.provider_id
        self._limit_bytes = config.max_decompressed_bytes

    async def read(self, request: ProcessFileRequest, document: Incoming, options: Options, *, began: float) -> Reply:
        exchange = await self._vendor.answer(document, options)
        try:
            async with kept(exchange.chunks(), limit_bytes=self._limit_bytes, too_large=self._too_large) as answer:
                return await self.processing.answer(
                    request, document, options, reader=self._vendor.reader, began=began, readable=answer
                )
        finally:
            await exchange.close()

    def _too_large(self) -> UpstreamError:
        return UpstreamError(
            f"the answer of `{self._provider_id}` is larger than {self._limit_bytes} bytes",
            provider_id=self._provider_id,
            hint="raise `max_decompressed_bytes` in its config",
        )


def form_file(document: Incoming) -> FormFile:
    """The document as a file of a form, in its field `files`."""
    return FormFile(
        name="files",
        filename=document.filename or "document",
        content=_parts(document),
        size=document.size_bytes,
        content_type=document.content_type or "application/octet-stream",
    )


def form_fields(options: Mapping[str, object]) -> list[tuple[str, str]]:
    """Options as fields of a form: a list is repeated, truth is `true` and `false`; None is left out."""
    pairs: list[tuple[str, str]] = []
    for name, value in options.items():
        for one in value if isinstance(value, list | tuple) else [value]:
            if one is not None:
                pairs.append((name, str(one).lower() if isinstance(one, bool) else str(one)))
    return pairs


async def _parts(document: Incoming) -> AsyncIterator[bytes]:
    await asyncio.to_thread(document.file.seek, 0)
    while part := await asyncio.to_thread(document.file.read, _READ_BYTES):
        yield part
