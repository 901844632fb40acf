"""Documents of the RAG tool: their bytes, wherever they are, and their chunks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from runtime.apis._carriers import Upload
from runtime.apis._chunks import ChunkUrl, StaticSizes, text_of
from runtime.apis.vector_stores.older import RagDocument
from runtime.errors import RequestError, StackError
from runtime.http.pages import Pages, is_address
from runtime.providers.vector_stores.builtin.inserting import DocumentChunks, attributes_of
from runtime.providers.vector_stores.builtin.patience import may_pass
from runtime.providers.vector_stores.builtin.reading import Reading
from runtime.providers.vector_stores.builtin.writing import NewChunk

_LIMIT_BYTES = 64 * 1024**2
_TIMEOUT_S = 60.0
_TEXT = "text/plain"


@dataclass(frozen=True)
class _Content:
    """content_type: empty if nobody says it."""

    content: bytes
    content_type: str
    filename: str


class Documents:
    """pages: reads addresses."""

    def __init__(self, *, reading: Reading, pages: Pages) -> None:
        self._reading = reading
        self._pages = pages

    async def cut(self, document: RagDocument, *, chunk_tokens: int) -> DocumentChunks:
        """The chunks of a document, of so many tokens, a quarter of which the next one shares.

        Raises RequestError that names the document if it cannot be read or has no text, NotSupported without file
        processors, and what these raise while they are busy or down.
        """
        sizes = StaticSizes(max_chunk_size_tokens=chunk_tokens, chunk_overlap_tokens=chunk_tokens // 4)
        try:
            read = await self._read(await self._content(document), document.mime_type, sizes)
        except StackError as error:
            if may_pass(error) or not isinstance(error, RequestError):
                raise
            words = f"The document `{document.document_id}` cannot be inserted: {error.message}"
            raise RequestError(words, hint=error.hint, param="documents", code=error.code) from error
        given = {**document.metadata, "document_id": document.document_id}
        chunks = [_of_document(chunk, given, place) for place, chunk in enumerate(read)]
        return DocumentChunks(document.document_id, attributes_of(given), chunks)

    async def _read(self, found: _Content, mime_type: str | None, sizes: StaticSizes) -> list[NewChunk]:
        kind = mime_type or found.content_type or _TEXT
        size = len(found.content)
        upload = Upload(_whole(found.content), filename=found.filename, content_type=kind, size_bytes=size)
        chunks: list[NewChunk] = []
        if found.content.strip():
            read = await self._reading.read_upload(upload, sizes)
            chunks = [chunk for chunk in read.chunks if chunk.text.strip()]
        if not chunks:
            raise RequestError("it has no text", code="document_without_text")
        return chunks

    async def _content(self, document: RagDocument) -> _Content:
        content = document.content
        if isinstance(content, ChunkUrl):
            return await self._at(content.uri)
        if isinstance(content, str) and is_address(content):
            return await self._at(content)
        return _Content(text_of(content).encode(), "", "")

    async def _at(self, address: str) -> _Content:
        page = await self._pages.read(address, limit_bytes=_LIMIT_BYTES, timeout_s=_TIMEOUT_S)
        return _Content(page.content, page.content_type, urlsplit(page.url).path.rpartition("/")[2])


def _of_document(chunk: NewChunk, given: Mapping[str, Any], place: int) -> NewChunk:
    """A chunk under an id that is the same whenever the document is inserted."""
    about = (chunk.facts.get("chunk_metadata") or {}) | {"document_id": given["document_id"]}
    chunk_id = f"{given['document_id']}-{place}"
    facts = {
        "metadata": {**(chunk.facts.get("metadata") or {}), **given},
        "chunk_metadata": about | {"chunk_id": chunk_id},
    }
    return NewChunk(chunk_id, chunk.text, facts)


async def _whole(content: bytes) -> AsyncIterator[bytes]:
    yield content
