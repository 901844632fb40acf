"""A stored file as chunks, as the file processors make them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runtime.access import SYSTEM
from runtime.apis._carriers import Upload
from runtime.apis._chunk_sizes import DEFAULT_CHUNK_TOKENS, DEFAULT_OVERLAP_TOKENS
from runtime.apis._chunks import (
    Chunk,
    ContextualChunking,
    StaticChunking,
    StaticSizes,
    text_of,
)
from runtime.apis.file_processors.protocol import FileProcessors, ProcessFileRequest, ProcessFileResponse
from runtime.apis.files.file import File, FileRequest
from runtime.apis.files.protocol import Files
from runtime.context import RequestContext, serving
from runtime.errors import NotFound, NotSupported, StackError
from runtime.providers.vector_stores.builtin.config import FileIngestion
from runtime.providers.vector_stores.builtin.contextual import WholeText
from runtime.providers.vector_stores.builtin.writing import NewChunk

_LONG_CONTEXT_TOKENS = 1000
_OF_CONTEXT = 0.75
"""How much of a short context a chunk may fill: models do not count tokens as we do."""
_LEAST_TOKENS = 100


@dataclass(frozen=True)
class ReadFile:
    """filename: of the stored file. facts: what its reader says of it, such as `page_count`."""

    filename: str
    chunks: list[NewChunk]
    facts: Mapping[str, Any]


class Reading:
    """files, processors: None where the stack has none."""

    def __init__(self, files: Files | None, processors: FileProcessors | None) -> None:
        self._files = files
        self._processors = processors

    async def stored(self, file_id: str) -> File:
        """What is known of a file. Raises NotFound if the caller sees none with this id, NotSupported, Unavailable."""
        if self._files is None or self._processors is None:
            missing = "files" if self._files is None else "file_processors"
            raise NotSupported(f"Files cannot be attached: the API {missing} has no provider")
        return await self._files.get_file(FileRequest(file_id=file_id))

    async def is_stored(self, file_id: str) -> bool | None:
        """Whether a file is there, whoever may see it; None while that cannot be told."""
        if self._files is None:
            return None
        try:
            with serving(RequestContext(user=SYSTEM)):
                await self._files.get_file(FileRequest(file_id=file_id))
        except NotFound:
            return False
        except StackError:
            return None
        return True

    async def read(self, file: File, sizes: StaticSizes) -> ReadFile:
        """The chunks of a stored file. Raises RequestError for a document that cannot be read, NotFound, Unavailable,
        NotSupported.
        """
        strategy = StaticChunking(type="static", static=sizes)
        return await self._read(file.filename, ProcessFileRequest(file_id=file.id, chunking_strategy=strategy))

    async def read_upload(self, upload: Upload, sizes: StaticSizes) -> ReadFile:
        """The chunks of a document that is not stored. Raises as `read` does."""
        strategy = StaticChunking(type="static", static=sizes)
        return await self._read(upload.filename, ProcessFileRequest(file=upload, chunking_strategy=strategy))

    async def _read(self, filename: str, request: ProcessFileRequest) -> ReadFile:
        made = await self._processed(request)
        return ReadFile(filename, [new_chunk(one) for one in made.chunks], made.metadata)

    async def text(self, file_id: str) -> WholeText:
        """All of a file. Raises as `read` does."""
        made = await self._processed(ProcessFileRequest(file_id=file_id))
        counts = [chunk.chunk_metadata.content_token_count for chunk in made.chunks]
        tokens = None if None in counts else sum(count or 0 for count in counts)
        return WholeText(made.text(), tokens)

    async def _processed(self, request: ProcessFileRequest) -> ProcessFileResponse:
        if self._processors is None:
            raise NotSupported("Documents cannot be read: the API file_processors has no provider")
        return ProcessFileResponse.of(await self._processors.process_file(request))


def new_chunk(chunk: Chunk) -> NewChunk:
    """A chunk that is to be kept."""
    about = chunk.chunk_metadata.model_dump(mode="json", exclude_none=True)
    return NewChunk(chunk.chunk_id, text_of(chunk.content), {"metadata": chunk.metadata, "chunk_metadata": about})


def settled(
    asked: Mapping[str, Any] | None, config: FileIngestion, context_tokens: int | None
) -> StaticChunking | ContextualChunking:
    """How a file is really cut. asked: a strategy; None and `auto` for what the config says, or else for chunks that
    fit into the embedding model's context.
    """
    if asked is not None and asked["type"] == "static":
        return StaticChunking.model_validate(asked)
    if asked is not None and asked["type"] == "contextual":
        return ContextualChunking.model_validate(asked)
    size, overlap = DEFAULT_CHUNK_TOKENS, DEFAULT_OVERLAP_TOKENS
    if context_tokens is not None and context_tokens < _LONG_CONTEXT_TOKENS:
        size = max(_LEAST_TOKENS, int(context_tokens * _OF_CONTEXT))
        overlap = size // 4
    size = config.default_chunk_size_tokens or size
    overlap = min(
        size // 2, overlap if config.default_chunk_overlap_tokens is None else config.default_chunk_overlap_tokens
    )
    return StaticChunking(type="static", static=StaticSizes(max_chunk_size_tokens=size, chunk_overlap_tokens=overlap))


def sizes_of(cut: StaticChunking | ContextualChunking) -> StaticSizes:
    """The sizes by which the document itself is cut."""
    if isinstance(cut, StaticChunking):
        return cut.static
    size = cut.contextual.max_chunk_size_tokens
    overlap = min(cut.contextual.chunk_overlap_tokens, size // 2)
    return StaticSizes(max_chunk_size_tokens=size, chunk_overlap_tokens=overlap)
