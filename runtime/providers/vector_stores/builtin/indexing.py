"""One stored file on its way into an index: read, cut, put into its context, embedded and written, but not seen yet."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runtime.apis._chunks import ContextualChunking, StaticChunking
from runtime.apis.files.file import File
from runtime.errors import RequestError
from runtime.providers.vector_stores.builtin.config import FileIngestion
from runtime.providers.vector_stores.builtin.contextual import Contexts
from runtime.providers.vector_stores.builtin.embedding import TextEmbedder
from runtime.providers.vector_stores.builtin.indexes import VectorIndex
from runtime.providers.vector_stores.builtin.reading import Reading, settled, sizes_of
from runtime.providers.vector_stores.builtin.room import Room
from runtime.providers.vector_stores.builtin.stages import Stages
from runtime.providers.vector_stores.builtin.writing import STORED_AT_ONCE, Draft, NewChunk, NewGroup, Writing
from runtime.storage.sql import Row


@dataclass
class Report:
    """What became of a file. cut: how it was cut."""

    cut: dict[str, Any] | None = None
    pages: int | None = None
    chunks: int = 0
    skipped: int = 0
    why: list[str] = field(default_factory=list)
    stages: Stages = field(default_factory=Stages)

    def shown(self) -> dict[str, Any]:
        """As `IngestionReport` has it."""
        return {
            "pages": self.pages,
            "chunks": self.chunks,
            "skipped": self.skipped,
            "why": self.why,
            "seconds": self.stages.shown(),
        }


class FileIndexing:
    """sizes: how files are cut that do not say it. room: what files take up that are read and not yet written."""

    def __init__(
        self,
        *,
        writing: Writing,
        reading: Reading,
        contexts: Contexts,
        embedding: TextEmbedder,
        sizes: FileIngestion,
        room: Room,
    ) -> None:
        self._writing = writing
        self._reading = reading
        self._contexts = contexts
        self._embedding = embedding
        self._sizes = sizes
        self._room = room

    async def cut_of(self, index: VectorIndex, chunking: Mapping[str, Any] | None) -> dict[str, Any]:
        """How a file is cut in an index. chunking: what the file's row says. Raises RequestError if the index was made
        with another model than its name means now.
        """
        model = await self._embedding.check(index)
        return settled(chunking or index.chunking, self._sizes, model.context_tokens).model_dump(mode="json")

    async def write(self, index: VectorIndex, row: Row, report: Report, *, is_again: bool = False) -> Draft:
        """The group of an attached file in an index. row: of FILES. is_again: whether something was down before; then
        that is asked first, since reading and above all contexts cost more.

        Raises RequestError if the model has changed or the file has no text, and what reading, embedding and writing
        raise; then nothing of it is left.
        """
        model = await self._embedding.check(index)
        cut = settled(row["chunking"] or index.chunking, self._sizes, model.context_tokens)
        report.cut = cut.model_dump(mode="json")
        if is_again:
            await self._writing.check(index)
        file = await self._reading.stored(row["file_id"])
        async with self._room.taken(file.bytes) as taken:
            chunks = await self._read(file, cut, report)
            group = NewGroup(source=file.id, filename=file.filename, content=row["attachment"])
            draft = await self._writing.begin_again(index, group)
            draft.stages = report.stages
            try:
                taken.resize(_size_bytes(chunks))
                while chunks:  # those that are written take up nothing any more
                    written, chunks = chunks[:STORED_AT_ONCE], chunks[STORED_AT_ONCE:]
                    await self._writing.add(draft, written)
                    taken.resize(taken.size_bytes - _size_bytes(written))
            except BaseException:
                await self._writing.abandon(draft)
                raise
            return draft

    async def _read(self, file: File, cut: StaticChunking | ContextualChunking, report: Report) -> list[NewChunk]:
        with report.stages.stage("read"):
            read = await self._reading.read(file, sizes_of(cut))
        pages = read.facts.get("page_count")
        report.pages = pages if isinstance(pages, int) else None
        chunks = [chunk for chunk in read.chunks if chunk.text.strip()]
        report.chunks, report.skipped = len(chunks), len(read.chunks) - len(chunks)
        if report.skipped:
            report.why = [f"{report.skipped} chunks have no text"]
        if not chunks:
            raise RequestError("The file has no text", code="document_without_text")
        if isinstance(cut, ContextualChunking):
            with report.stages.stage("context"):
                whole = await self._reading.text(file.id)
                chunks = await self._contexts.written(whole, chunks, cut.contextual)
        return chunks


def _size_bytes(chunks: Sequence[NewChunk]) -> int:
    """What their texts take up in memory."""
    return sum(sys.getsizeof(chunk.text) for chunk in chunks)


def about(row: Row, draft: Draft, report: Report) -> dict[str, Any]:
    """What is true of a file in the index that a draft is in, as `GROUPS` has it. row: of FILES."""
    return {
        "chunking": row["chunking"],
        "cut": report.cut,
        "usage_bytes": draft.usage_bytes,
        "report": report.shown(),
    }
