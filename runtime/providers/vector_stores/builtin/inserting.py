"""Chunks that a caller has cut, and perhaps embedded: kept as they are, and there when the request is answered."""

from __future__ import annotations

import asyncio
import hashlib
import json
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runtime.apis._chunks import text_of
from runtime.apis.vector_io.protocol import GROUP_BITS, group_of
from runtime.apis.vector_stores.native import ChunkToInsert
from runtime.clock import stamp
from runtime.errors import RequestError, StackError
from runtime.ids import new_id
from runtime.providers.vector_stores.builtin.indexes import Indexes, Retired, VectorIndex
from runtime.providers.vector_stores.builtin.tables import CHUNKS, GROUPS
from runtime.providers.vector_stores.builtin.vectors import BYTES_PER_NUMBER, decoded
from runtime.providers.vector_stores.builtin.words import Words
from runtime.providers.vector_stores.builtin.writing import NewChunk, NewGroup, Writing, seen, taken_out
from runtime.storage import sql

_LOOKED_UP_AT_ONCE = 500


@dataclass(frozen=True)
class DocumentChunks:
    """Chunks of one document with the same attributes. source: its id."""

    source: str
    attributes: Mapping[str, Any]
    chunks: list[NewChunk]


class Inserting:
    """rows: all users' rows."""

    def __init__(self, rows: sql.SqlStore, words: Words, writing: Writing, indexes: Indexes) -> None:
        self._rows = rows
        self._words = words
        self._writing = writing
        self._indexes = indexes

    async def insert(
        self, index: VectorIndex, chunks: Sequence[ChunkToInsert], *, ttl_seconds: int | None = None
    ) -> None:
        """Keep chunks, all or none of them; searches find them when this returns. One whose id is there takes the place
        of the other.

        Raises Retired if the index was replaced meanwhile, RequestError for an embedding of another dimension or model,
        and what embedding and the backend raise.
        """
        documents = await asyncio.to_thread(_documents, index, chunks)
        ids = [chunk.chunk_id for one in documents for chunk in one.chunks]
        expires_at = int(stamp()) + ttl_seconds if ttl_seconds else None

        async def replaced() -> dict[int, list[int] | None]:
            return {**await self._known(index, ids)}

        await self._insert(index, documents, replaced, expires_at)

    async def replace(self, index: VectorIndex, documents: Sequence[DocumentChunks]) -> None:
        """Keep documents in the place of those that have their ids. Raises as `insert` does."""
        sources = [one.source for one in documents]

        async def replaced() -> dict[int, list[int] | None]:
            found: dict[int, list[int] | None] = {}
            mine = sql.eq("index_number", index.number) & sql.eq("state", "live") & sql.eq("about", None)
            for at in range(0, len(sources), _LOOKED_UP_AT_ONCE):
                wanted = sql.one_of("source", sources[at : at + _LOOKED_UP_AT_ONCE])
                rows = await self._rows.select(sql.Select(GROUPS, mine & wanted, ("number",)))
                found |= dict.fromkeys(row["number"] for row in rows)
            return found

        await self._insert(index, documents, replaced, None)

    async def _insert(
        self,
        index: VectorIndex,
        documents: Sequence[DocumentChunks],
        replaced: Callable[[], Awaitable[dict[int, list[int] | None]]],
        expires_at: int | None,
    ) -> None:
        """replaced: by group, the numbers of the chunks that go when the documents come; None for all."""
        if not documents:
            return
        groups = [
            NewGroup(source=one.source, filename=one.source, content=_new_content(), expires_at=expires_at)
            for one in documents
        ]
        drafts = await self._writing.begin(index, groups)
        written = list(zip(drafts, documents, strict=True))
        gone: list[int] = []

        async def statements(version: int) -> list[sql.Statement]:
            going = await replaced()
            there = await self._seen(index, list(going))
            gone[:] = [number for group in there for number in going[group["number"]] or ()]
            return [
                *(seen(draft, version, attributes=one.attributes, about=None) for draft, one in written),
                *(step for group in there for step in _without(index, group, going[group["number"]], version)),
            ]

        try:
            await self._writing.add_all([(draft, chunk) for draft, one in written for chunk in one.chunks])
            await self._indexes.change(index.number, statements)
        except BaseException as error:
            await self._writing.abandon(*drafts)
            if isinstance(error, StackError) and await self._indexes.is_retired(index.number):
                raise Retired from error
            raise
        await self._words.index.remove(index.number, [range(number, number + 1) for number in gone])

    async def _known(self, index: VectorIndex, chunk_ids: Sequence[str]) -> dict[int, list[int]]:
        """The numbers of the chunks that are there under these ids, by group."""
        found: defaultdict[int, list[int]] = defaultdict(list)
        for at in range(0, len(chunk_ids), _LOOKED_UP_AT_ONCE):
            wanted = sql.one_of("chunk_id", chunk_ids[at : at + _LOOKED_UP_AT_ONCE])
            mine = sql.eq("index_number", index.number) & wanted
            for row in await self._rows.select(sql.Select(CHUNKS, mine, ("number",))):
                found[group_of(row["number"])].append(row["number"])
        return found

    async def _seen(self, index: VectorIndex, numbers: Sequence[int]) -> list[sql.Row]:
        """Those of these groups that are seen."""
        found: list[sql.Row] = []
        live = sql.eq("index_number", index.number) & sql.eq("state", "live")
        for at in range(0, len(numbers), _LOOKED_UP_AT_ONCE):
            wanted = sql.one_of("number", numbers[at : at + _LOOKED_UP_AT_ONCE])
            found += await self._rows.select(sql.Select(GROUPS, live & wanted))
        return found


def _without(index: VectorIndex, group: sql.Row, numbers: Sequence[int] | None, version: int) -> list[sql.Statement]:
    """The statements that take chunks out of a group; with its last ones, it goes itself. numbers: None for all."""
    first = group["number"] << GROUP_BITS
    gone = sorted({*group["gone"], *(number - first for number in numbers or ())})
    if numbers is None or len(gone) == group["chunks"]:
        return taken_out(index, [group["number"]], version)
    mine = sql.eq("index_number", index.number)
    values = {"gone": gone, "content": _new_content(), "changed": version}
    live = mine & sql.eq("number", group["number"]) & sql.eq("state", "live")
    return [
        sql.Update(GROUPS, values, live, expect=1),
        *(
            sql.Delete(CHUNKS, mine & sql.one_of("number", numbers[at : at + _LOOKED_UP_AT_ONCE]))
            for at in range(0, len(numbers), _LOOKED_UP_AT_ONCE)
        ),
    ]


def _new_content() -> str:
    return new_id("inserted_")


def _documents(index: VectorIndex, chunks: Sequence[ChunkToInsert]) -> list[DocumentChunks]:
    """The chunks by document and attributes. Of two with the same id, the later one counts."""
    placed: dict[str, tuple[str, dict[str, Any], NewChunk]] = {}
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
        placed[new.chunk_id] = (source, attributes_of(metadata), new)
    found: dict[tuple[str, str], DocumentChunks] = {}
    for source, attributes, new in placed.values():
        key = source, json.dumps(attributes, sort_keys=True)
        found.setdefault(key, DocumentChunks(source, attributes, [])).chunks.append(new)
    return list(found.values())


def _embedding(index: VectorIndex, chunk: ChunkToInsert) -> bytes | None:
    if chunk.embedding is None:
        return None
    if chunk.embedding_model not in (None, index.embedding_model, index.embedding_source):
        raise RequestError(
            f"The chunk was embedded with `{chunk.embedding_model}`, the vector store is made with"
            f" `{index.embedding_model}`",
            param="chunks",
            code="embedding_model_mismatch",
        )
    try:
        made = decoded([chunk.embedding])
    except RequestError as error:
        error.param = "chunks"
        raise
    if len(made) != index.dimension * BYTES_PER_NUMBER:
        raise RequestError(
            f"An embedding has {len(chunk.embedding)} numbers, the vector store has vectors of {index.dimension}",
            param="chunks",
            code="dimension_mismatch",
        )
    return made


def attributes_of(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What filters compare."""
    return {name: value for name, value in metadata.items() if isinstance(value, str | int | float)}


def _made_id(source: str, text: str) -> str:
    """The same for the same text of the same document."""
    return str(uuid.UUID(bytes=hashlib.sha256(f"{source}:{text}".encode()).digest()[:16], version=5))
