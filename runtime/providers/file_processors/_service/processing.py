"""From a request to its answer: takes the document in, has a worker read and cut it, and says what was done."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import msgspec

from runtime.apis._chunks import AutoChunking, StaticChunking
from runtime.apis.file_processors.protocol import ProcessFileRequest
from runtime.apis.files.file import FileRequest
from runtime.apis.files.protocol import Files
from runtime.documents.chunking import Sizes
from runtime.errors import RequestError, TooLarge
from runtime.ids import new_id
from runtime.provider import ProviderContext
from runtime.providers.file_processors._service.config import ProcessorConfig
from runtime.providers.file_processors._service.incoming import Incoming, kept
from runtime.providers.file_processors._service.options import Options
from runtime.providers.file_processors._worker.messages import Limits, Task
from runtime.providers.file_processors._worker.pool import WorkerPool
from runtime.sse import Json, Reply, encode, members


class Processing:
    """The part of a provider that is the same for all of them."""

    def __init__(self, config: ProcessorConfig, context: ProviderContext) -> None:
        self._name = context.spec.name
        self._config = config
        self._files = context.optional_api(Files)  # type: ignore[type-abstract]
        self._workers = WorkerPool(size=config.workers, max_waiting=config.max_waiting)

    @asynccontextmanager
    async def received(self, request: ProcessFileRequest) -> AsyncIterator[Incoming]:
        """The document of a request, kept for as long as it is used. Raises TooLarge for a file beyond the limit,
        NotFound for an unknown `file_id`, RequestError for any if the stack has no files.
        """
        limit_bytes = self._config.max_file_size_bytes
        if request.file is not None:
            upload = request.file
            source: AbstractAsyncContextManager[Incoming] = kept(
                upload, limit_bytes=limit_bytes, filename=upload.filename, content_type=upload.content_type
            )
        else:
            assert request.file_id is not None
            source = await self._stored(request.file_id)
        async with source as document:
            yield document

    async def answer(
        self,
        request: ProcessFileRequest,
        document: Incoming,
        options: Options,
        *,
        reader: str,
        began: float,
        settings: dict[str, Any] | None = None,
        readable: Incoming | None = None,
        has_waited: bool = False,
    ) -> Reply:
        """A `ProcessFileResponse` with the chunks of a document. They stay JSON: those of a book are many megabytes.

        reader: `module:function` of what reads it in the worker. settings: the reader's. began: when the request
        arrived, by `time.perf_counter`. readable: what is read in its place, such as another server's answer about it.
        has_waited: the document has waited for a worker before, so it is not told to come later.

        Raises RequestError with the reason why it cannot be read, RateLimited if too many wait, Unavailable without a
        worker.
        """
        task = self._task(request, document, options, reader=reader, settings=settings)
        written = await self._workers.run(task, (readable or document).file, has_waited=has_waited)
        found = members(written, opaque=("chunks",))
        found["metadata"] |= {
            "processor": self._name,
            "processing_time_ms": round((time.perf_counter() - began) * 1000),
            "file_size_bytes": document.size_bytes,
        }
        return Reply(encode(found))

    async def parsed(self, request: ProcessFileRequest, document: Incoming, options: Options, *, reader: str) -> Reply:
        """What a reader makes of a document, as `_readers/read_before.py` takes it. Raises as `answer` does."""
        task = self._task(request, document, options, reader=reader)
        return Reply(await self._workers.run(msgspec.structs.replace(task, gives="document"), document.file))

    def reading(self, document: Incoming, options: Options) -> Json:
        """What `parsed` depends on beside the content of the document. What says nothing is left out, as are settings
        at their defaults: a new setting does not make it another one.
        """
        given: Json = {
            "filename": document.filename,
            "content_type": document.content_type,
            "pages": options.pages and [list(pages) for pages in options.pages],
            "settings": self._config.settings(only_changed=True),
            "limits": self._config.changed_limits(),
        }
        return {name: value for name, value in given.items() if value}

    def _task(
        self,
        request: ProcessFileRequest,
        document: Incoming,
        options: Options,
        *,
        reader: str,
        settings: dict[str, Any] | None = None,
    ) -> Task:
        config = self._config
        metadata = options.extract_metadata
        return Task(
            reader=reader,
            filename=document.filename,
            content_type=document.content_type,
            pages=options.pages,
            extract_metadata=config.extract_metadata if metadata is None else metadata,
            clean_text=config.clean_text if options.clean_text is None else options.clean_text,
            settings=config.settings() if settings is None else settings,
            sizes=self._sizes(request.chunking_strategy),
            document=_facts(document),
            limits=_limits(config),
        )

    async def check_stored(self, file_id: str) -> None:
        """Raises NotFound, TooLarge and RequestError, as `received` does for a `file_id`."""
        about = await self._stored_files().get_file(FileRequest(file_id=file_id))
        if about.bytes > self._config.max_file_size_bytes:
            raise TooLarge(f"The file is larger than {self._config.max_file_size_bytes} bytes", param="file_id")

    def _stored_files(self) -> Files:
        if self._files is None:
            raise RequestError(
                "Files are not stored here, as no provider of the API files is configured",
                param="file_id",
                hint="send the file itself as `file`",
            )
        return self._files

    async def _stored(self, file_id: str) -> AbstractAsyncContextManager[Incoming]:
        files, asked = self._stored_files(), FileRequest(file_id=file_id)
        limit_bytes = self._config.max_file_size_bytes
        about, content = await files.get_file(asked), await files.read_file(asked)
        return kept(
            content.read(0, min(content.size_bytes, limit_bytes + 1)),
            limit_bytes=limit_bytes,
            filename=about.filename,
            content_type=content.content_type,
            file_id=file_id,
        )

    async def stop(self) -> None:
        await self._workers.stop()

    def _sizes(self, strategy: AutoChunking | StaticChunking | None) -> Sizes | None:
        if isinstance(strategy, StaticChunking):
            given = strategy.static
            return Sizes(max_tokens=given.max_chunk_size_tokens, overlap_tokens=given.chunk_overlap_tokens)
        return None if strategy is None else _default_sizes(self._config)


def _facts(document: Incoming) -> dict[str, Any]:
    """What each chunk says about its document."""
    facts: dict[str, Any] = {"document_id": document.file_id or new_id("doc-")}
    if document.filename:
        facts["filename"] = document.filename
    if document.file_id:
        facts["file_id"] = document.file_id
    return facts


def _default_sizes(config: ProcessorConfig) -> Sizes:
    overlap = min(config.default_chunk_overlap_tokens, config.default_chunk_size_tokens // 2)
    return Sizes(max_tokens=config.default_chunk_size_tokens, overlap_tokens=overlap)


def _limits(config: ProcessorConfig) -> Limits:
    return Limits(
        timeout_s=config.timeout_s,
        memory_bytes=config.max_memory_bytes,
        max_pages=config.max_pages,
        max_decompressed_bytes=config.max_decompressed_bytes,
        max_text_bytes=config.max_text_bytes,
    )
