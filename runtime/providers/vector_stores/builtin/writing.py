"""Writes groups of chunks into an index: first the parts, unseen, then all of it is there at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runtime.apis.vector_io import GROUP_BITS, PutVectors, VectorIo
from runtime.documents.words import words_of
from runtime.errors import RequestError
from runtime.providers.vector_stores.builtin.embedding import Embedding
from runtime.providers.vector_stores.builtin.indexes import Index, Indexes, set_state
from runtime.providers.vector_stores.builtin.tables import CHUNKS, GROUPS, REMOVALS
from runtime.storage.sql import Duplicate, Insert, Select, SqlStore, Statement, Update, eq
from runtime.storage.words.index import WordIndex

MAX_CHUNKS = 1 << GROUP_BITS


@dataclass(frozen=True, slots=True)
class NewChunk:
    """text: what is found and shown. facts: `metadata` and `chunk_metadata`, as `Chunk` has them. embedding: as in
    `PutVectors`; None if it is still to be made.
    """

    chunk_id: str
    text: str
    facts: Mapping[str, Any]
    embedding: bytes | None = None


@dataclass
class Draft:
    """A group that is being written. chunks, text_bytes: of what is in it so far."""

    index: Index
    group: int
    source: str
    chunks: int = 0
    text_bytes: int = 0


@dataclass(frozen=True)
class Shown:
    """A group as it is to be seen, and what is to be done in the transaction that shows it. replaces: whether what was
    there of its source is no longer found then.
    """

    attributes: Mapping[str, Any]
    also: Sequence[Statement] = ()
    replaces: bool = True


class Writing:
    """rows: all users' rows."""

    def __init__(
        self, rows: SqlStore, words: WordIndex, backends: VectorIo, indexes: Indexes, embedding: Embedding
    ) -> None:
        self._rows = rows
        self._words = words
        self._backends = backends
        self._indexes = indexes
        self._embedding = embedding

    async def begin_again(self, index: Index, source: str, *, filename: str) -> Draft:
        """As `begin`, after earlier attempts at this source, of which nothing is left. Raises Unavailable."""
        pending = eq("index_number", index.number) & eq("source", source) & eq("state", "pending")
        if earlier := await self._rows.select(Select(GROUPS, pending, ("number",))):
            await self._abandon(index, [row["number"] for row in earlier])
        return await self.begin(index, source, filename=filename)

    async def begin(self, index: Index, source: str, *, filename: str, expires_at: int | None = None) -> Draft:
        """A new group, which nobody sees. Raises Unavailable."""
        number = time.time_ns() // 1_000_000
        while True:
            row = {"index_number": index.number, "number": number, "state": "pending", "changed": 0, "source": source}
            try:
                more = {"filename": filename, "attributes": {}, "chunks": 0, "expires_at": expires_at}
                await self._rows.write(Insert(GROUPS, row | more))
            except Duplicate:
                number += 1
            else:
                return Draft(index, number, source)

    async def add(self, draft: Draft, chunks: Sequence[NewChunk]) -> None:
        """Put chunks into a group, at most `embedding.TEXTS_AT_ONCE`; on disk when this returns, and not seen yet.

        Raises RequestError for a text that cannot be embedded and for too many chunks, and what embedding and the
        backend raise.
        """
        if draft.chunks + len(chunks) > MAX_CHUNKS:
            raise RequestError(f"A file has at most {MAX_CHUNKS} chunks", code="too_many_chunks")
        first = (draft.group << GROUP_BITS) + draft.chunks
        await self.put(draft.index, list(zip(range(first, first + len(chunks)), chunks, strict=True)))
        draft.chunks += len(chunks)
        draft.text_bytes += sum(len(chunk.text.encode()) for chunk in chunks)

    async def put(self, index: Index, numbered: Sequence[tuple[int, NewChunk]]) -> None:
        """Write chunks under their numbers, in place of any that have them. Raises as `add` does."""
        vectors = await self._vectors(index, [chunk for _, chunk in numbered])
        place = {"provider_id": index.provider_id, "collection": index.collection}
        numbers = [number for number, _ in numbered]
        await self._backends.put_vectors(PutVectors(**place, numbers=numbers, vectors=vectors))
        columns = ("chunk_id", "facts", "text")
        rows = [
            Insert(
                CHUNKS,
                {"index_number": index.number, "number": number, "chunk_id": chunk.chunk_id}
                | {"facts": dict(chunk.facts), "text": chunk.text},
                replace=columns,
            )
            for number, chunk in numbered
        ]
        await self._rows.write(*rows)
        words = await asyncio.to_thread(lambda: [words_of(chunk.text) for _, chunk in numbered])
        await self._words.put(index.number, list(zip(numbers, words, strict=True)))

    async def publish(self, draft: Draft, now: Callable[[], Awaitable[Shown]]) -> None:
        """Let searches find a group, and no longer any older one of its source. now: what is true of it at this moment.

        Raises what `now` raises, Stale if what it does fails or the index is gone, and leaves the draft; Unavailable.
        """
        mine = eq("index_number", draft.index.number)
        live = mine & eq("source", draft.source) & eq("state", "live")
        pending = mine & eq("number", draft.group) & eq("state", "pending")

        async def statements(version: int) -> list[Statement]:
            said = await now()
            found = await self._rows.select(Select(GROUPS, live, ("number",))) if said.replaces else ()
            older = [row["number"] for row in found]
            shown = {"state": "live", "changed": version, "chunks": draft.chunks, "attributes": dict(said.attributes)}
            return [
                Update(GROUPS, shown, pending, expect=1),
                *set_state(draft.index.number, older, "dead", version),
                *(removal(draft.index, group) for group in older),
                *said.also,
            ]

        await self._indexes.change(draft.index.number, statements)

    async def abandon(self, draft: Draft) -> None:
        """Give a group up; what it has is removed later. Raises Unavailable."""
        await self._abandon(draft.index, [draft.group])

    async def _abandon(self, index: Index, groups: Sequence[int]) -> None:
        statements: list[Statement] = []
        for group in groups:
            pending = eq("index_number", index.number) & eq("number", group) & eq("state", "pending")
            statements += [Update(GROUPS, {"state": "dead"}, pending), removal(index, group)]
        await self._rows.write(*statements)

    async def _vectors(self, index: Index, chunks: Sequence[NewChunk]) -> bytes:
        texts = [chunk.text for chunk in chunks if chunk.embedding is None]
        if not texts:
            return b"".join(chunk.embedding or b"" for chunk in chunks)
        made = await self._embedding.passages(texts, index.embedding_model, index.dimension)
        if len(texts) == len(chunks):
            return made
        size = len(made) // len(texts)
        rest = iter([made[at : at + size] for at in range(0, len(made), size)])
        return b"".join(chunk.embedding or next(rest) for chunk in chunks)


def removal(index: Index, group: int) -> Insert:
    """The statement that has a group, or the whole index, removed everywhere; see `removing.py`."""
    place = {"provider_id": index.provider_id, "collection": index.collection}
    return Insert(REMOVALS, {"index_number": index.number, "number": group, **place}, replace=())
