"""Chunks that a caller has cut, and perhaps embedded: kept as they are, and there when the request is answered."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runtime.apis._chunks import text_of
from runtime.apis.vector_io import group_of
from runtime.apis.vector_stores.native import ChunkToInsert
from runtime.errors import RequestError
from runtime.providers.vector_stores.builtin.embedding import TEXTS_AT_ONCE
from runtime.providers.vector_stores.builtin.indexes import Index
from runtime.providers.vector_stores.builtin.stores import Opened
from runtime.providers.vector_stores.builtin.tables import CHUNKS
from runtime.providers.vector_stores.builtin.vectors import BYTES_PER_NUMBER, decoded
from runtime.providers.vector_stores.builtin.writing import NewChunk, Shown, Writing
from runtime.storage.sql import Delete, Row, Select, SqlStore, eq, one_of
from runtime.storage.words.index import WordIndex

_LOOKED_UP_AT_ONCE = 500


@dataclass(frozen=True)
class _Document:
    """Chunks of one document with the same attributes."""

    source: str
    attributes: Mapping[str, Any]
    chunks: list[NewChunk]


class Inserting:
    """rows: all users' rows."""

    def __init__(self, rows: SqlStore, words: WordIndex, writing: Writing) -> None:
        self._rows = rows
        self._words = words
        self._writing = writing

    async def insert(self, store: Opened, chunks: Sequence[ChunkToInsert], *, ttl_seconds: int | None = None) -> None:
        """Keep chunks; searches find them when this returns. One whose id is there takes the place of the other.

        Raises RequestError for an embedding of another dimension or model, and what embedding and the backend raise.
        Then nothing of the document at which it failed is kept.
        """
        expires_at = int(time.time()) + ttl_seconds if ttl_seconds else None
        for document in _documents(store.index, chunks):
            known = await self._known(store.index, [chunk.chunk_id for chunk in document.chunks])
            await self._add(store.index, document, expires_at)
            await self._forget(store.index, known)

    async def _add(self, index: Index, document: _Document, expires_at: int | None) -> None:
        draft = await self._writing.begin(index, document.source, filename=document.source, expires_at=expires_at)
        try:
            for at in range(0, len(document.chunks), TEXTS_AT_ONCE):
                await self._writing.add(draft, document.chunks[at : at + TEXTS_AT_ONCE])

            async def now() -> Shown:
                return Shown(document.attributes, replaces=False)

            await self._writing.publish(draft, now)
        except BaseException:
            await self._writing.abandon(draft)
            raise

    async def _known(self, index: Index, chunk_ids: Sequence[str]) -> list[Row]:
        """The chunks that are seen now under these ids."""
        found: list[Row] = []
        for at in range(0, len(chunk_ids), _LOOKED_UP_AT_ONCE):
            wanted = one_of("chunk_id", chunk_ids[at : at + _LOOKED_UP_AT_ONCE])
            found += await self._rows.select(Select(CHUNKS, eq("index_number", index.number) & wanted, ("number",)))
        return [row for row in found if group_of(row["number"]) in index.groups]

    async def _forget(self, index: Index, known: Sequence[Row]) -> None:
        """Have chunks no longer found; their vectors go with the rest of their document."""
        for at in range(0, len(known), _LOOKED_UP_AT_ONCE):
            numbers = [row["number"] for row in known[at : at + _LOOKED_UP_AT_ONCE]]
            await self._rows.write(Delete(CHUNKS, eq("index_number", index.number) & one_of("number", numbers)))
            await self._words.remove(index.number, [range(number, number + 1) for number in numbers])


def _documents(index: Index, chunks: Sequence[ChunkToInsert]) -> Iterator[_Document]:
    found: dict[tuple[str, str], _Document] = {}
    for chunk in chunks:
        metadata = dict(chunk.metadata)
        about = chunk.chunk_metadata
        text = text_of(chunk.content)
        source = str(metadata.get("document_id") or (about and about.document_id) or "") or "inserted"
        new = NewChunk(
            chunk.chunk_id or (about and about.chunk_id) or _made_id(source, text),
            text,
            {"metadata": metadata, "chunk_metadata": about.model_dump(mode="json", exclude_none=True) if about else {}},
            embedding=_embedding(index, chunk),
        )
        attributes = {name: value for name, value in metadata.items() if isinstance(value, str | int | float)}
        key = source, json.dumps(attributes, sort_keys=True)
        found.setdefault(key, _Document(source, attributes, [])).chunks.append(new)
    for document in found.values():
        once = {chunk.chunk_id: chunk for chunk in document.chunks}
        yield _Document(document.source, document.attributes, [*once.values()])


def _embedding(index: Index, chunk: ChunkToInsert) -> bytes | None:
    if chunk.embedding is None:
        return None
    if chunk.embedding_model not in (None, index.embedding_model, index.embedding_source):
        raise RequestError(
            f"The chunk was embedded with `{chunk.embedding_model}`, the vector store is made with"
            f" `{index.embedding_model}`",
            param="chunks",
            code="embedding_model_mismatch",
        )
    made = decoded([chunk.embedding])
    if len(made) != index.dimension * BYTES_PER_NUMBER:
        raise RequestError(
            f"An embedding has {len(chunk.embedding)} numbers, the vector store has vectors of {index.dimension}",
            param="chunks",
            code="dimension_mismatch",
        )
    return made


def _made_id(source: str, text: str) -> str:
    """The same for the same text of the same document."""
    return str(uuid.UUID(bytes=hashlib.sha256(f"{source}:{text}".encode()).digest()[:16], version=5))
