"""Writes groups of chunks into an index: first the parts, unseen, then all of it is there at once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any

from runtime.apis.vector_io.protocol import GROUP_BITS
from runtime.clock import wall_time
from runtime.concurrently import concurrently
from runtime.documents.words import words_of
from runtime.errors import RequestError
from runtime.providers.vector_stores.builtin.embedding import TEXTS_AT_ONCE, TextEmbedder
from runtime.providers.vector_stores.builtin.index_vectors import IndexVectors
from runtime.providers.vector_stores.builtin.indexes import Indexes, VectorIndex, set_state
from runtime.providers.vector_stores.builtin.joining import Joining
from runtime.providers.vector_stores.builtin.stages import Stages
from runtime.providers.vector_stores.builtin.tables import CHUNKS, GROUPS, REMOVALS
from runtime.providers.vector_stores.builtin.vectors import BYTES_PER_NUMBER
from runtime.providers.vector_stores.builtin.words import Words
from runtime.storage.sql import Duplicate, Insert, Select, SqlStore, Statement, Update, eq

MAX_CHUNKS = 1 << GROUP_BITS
STORED_AT_ONCE = 512
"""Chunks."""
_EMBEDDED_AT_ONCE = 2
"""Requests for the chunks that are stored at once, so that one file alone keeps its model busy."""


@dataclass(frozen=True, slots=True)
class NewChunk:
    """text: what is found and shown. facts: `metadata` and `chunk_metadata`, as `Chunk` has them. embedding: as in
    `PutVectors`; None if it is still to be made.
    """

    chunk_id: str
    text: str
    facts: Mapping[str, Any]
    embedding: bytes | None = None


_Whole = tuple[int, NewChunk, bytes]
"""A chunk with its number and its vector."""


@dataclass(frozen=True, kw_only=True)
class NewGroup:
    """source, content: as in `GROUPS`. expires_at: in seconds since 1970."""

    source: str
    filename: str
    content: str
    expires_at: int | None = None


@dataclass
class Draft:
    """A group that is being written. number: its own. chunks, text_bytes: of what is in it so far."""

    index: VectorIndex
    number: int
    group: NewGroup
    chunks: int = 0
    text_bytes: int = 0
    stages: Stages = field(default_factory=Stages)

    @property
    def usage_bytes(self) -> int:
        """What its chunks take up."""
        return self.text_bytes + self.chunks * self.index.dimension * BYTES_PER_NUMBER


@dataclass(frozen=True)
class Shown:
    """A group as it is to be seen. about: as in `GROUPS`. also: what is to be done in the transaction that shows it."""

    attributes: Mapping[str, Any]
    about: Mapping[str, Any] | None = None
    also: Sequence[Statement] = ()


class Writing:
    """rows: all users' rows."""

    def __init__(
        self, rows: SqlStore, words: Words, vectors: IndexVectors, indexes: Indexes, embedding: TextEmbedder
    ) -> None:
        self._rows = rows
        self._words = words
        self._vectors = vectors
        self._indexes = indexes
        self._embedding = embedding
        self._joining = Joining[_Whole](STORED_AT_ONCE)
        self._last_number = 0

    async def check(self, index: VectorIndex) -> None:
        """Raises what embedding and the backend raise while they cannot be used, before work is done in vain."""
        await self._vectors.read(index, [0])
        await self._embedding.query(["ready"], index.embedding_model, index.dimension)

    async def begin_again(self, index: VectorIndex, group: NewGroup) -> Draft:
        """As `begin`, after earlier attempts at this source, of which nothing is left. Raises Unavailable."""
        pending = eq("index_number", index.number) & eq("source", group.source) & eq("state", "pending")
        if earlier := await self._rows.select(Select(GROUPS, pending, ("number",))):
            await self._abandon(index, [row["number"] for row in earlier])
        [draft] = await self.begin(index, [group])
        return draft

    async def begin(self, index: VectorIndex, groups: Sequence[NewGroup]) -> list[Draft]:
        """New groups, which nobody sees. Raises Unavailable."""
        while True:
            first = max(int(wall_time() * 1_000), self._last_number + 1)
            self._last_number = first + len(groups) - 1
            drafts = [Draft(index, number, group) for number, group in enumerate(groups, start=first)]
            try:
                await self._rows.write(*map(_begun, drafts))
            except Duplicate:  # another process has taken one of these numbers
                self._last_number += random.randrange(1000)  # noqa: S311  # nothing secret
            else:
                return drafts

    async def add(self, draft: Draft, chunks: Sequence[NewChunk]) -> None:
        """Put chunks into a group; on disk when this returns, and not seen yet.

        Raises RequestError for a text that cannot be embedded and for too many chunks, and what embedding and the
        backend raise.
        """
        await self.add_all([(draft, chunk) for chunk in chunks], draft.stages)

    async def add_all(self, chunks: Sequence[tuple[Draft, NewChunk]], stages: Stages | None = None) -> None:
        """Put chunks into groups of one index. Raises RequestError and others as `add` does."""
        numbered = []
        for draft, chunk in chunks:
            if draft.chunks == MAX_CHUNKS:
                raise RequestError(f"A file has at most {MAX_CHUNKS} chunks", code="too_many_chunks")
            numbered.append(((draft.number << GROUP_BITS) + draft.chunks, chunk))
            draft.chunks += 1
            draft.text_bytes += len(chunk.text.encode())
        pieces = iter(numbered)
        while piece := list(islice(pieces, STORED_AT_ONCE)):
            await self._put(chunks[0][0].index, piece, stages or Stages())

    async def _put(self, index: VectorIndex, numbered: Sequence[tuple[int, NewChunk]], stages: Stages) -> None:
        with stages.stage("embed"):
            vectors = await self._embedded(index, [chunk for _, chunk in numbered])
        size = index.dimension * BYTES_PER_NUMBER
        whole = [
            (number, chunk, vectors[place * size : (place + 1) * size])
            for place, (number, chunk) in enumerate(numbered)
        ]
        with stages.stage("store"):
            await self._joining.do(index.number, whole, partial(self._store, index))

    async def _store(self, index: VectorIndex, whole: Sequence[_Whole]) -> None:
        numbers = [number for number, _, _ in whole]
        await self._vectors.put(index, numbers, b"".join(vector for _, _, vector in whole))
        await self._rows.write(*(_kept(index, number, chunk) for number, chunk, _ in whole))
        words = await asyncio.to_thread(lambda: [words_of(chunk.text) for _, chunk, _ in whole])
        await self._words.index.put(index.number, list(zip(numbers, words, strict=True)))

    async def publish(self, draft: Draft, now: Callable[[], Awaitable[Shown]]) -> None:
        """Let searches find a group, and no longer an older one of its source. now: what is true of it at this moment.

        Raises what `now` raises, Stale if what it does fails or the index is retired; Unavailable. The draft is left.
        """
        mine = eq("index_number", draft.index.number)
        live = mine & eq("source", draft.group.source) & eq("state", "live")

        async def statements(version: int) -> list[Statement]:
            said = await now()
            older = [row["number"] for row in await self._rows.select(Select(GROUPS, live, ("number",)))]
            return [
                seen(draft, version, attributes=said.attributes, about=said.about),
                *taken_out(draft.index, older, version),
                *said.also,
            ]

        await self._indexes.change(draft.index.number, statements)

    async def abandon(self, *drafts: Draft) -> None:
        """Give up groups that are not seen yet; what they have is removed later. Raises Unavailable."""
        if drafts:
            await self._abandon(drafts[0].index, [draft.number for draft in drafts])

    async def _abandon(self, index: VectorIndex, groups: Sequence[int]) -> None:
        await self._rows.write(*(step for group in groups for step in given_up(index, group)))

    async def _embedded(self, index: VectorIndex, chunks: Sequence[NewChunk]) -> bytes:
        texts = [chunk.text for chunk in chunks if chunk.embedding is None]
        if not texts:
            return b"".join(chunk.embedding or b"" for chunk in chunks)
        made = b"".join(
            await concurrently(
                lambda some: self._embedding.passages(some, index.embedding_model, index.dimension),
                [texts[at : at + TEXTS_AT_ONCE] for at in range(0, len(texts), TEXTS_AT_ONCE)],
                at_once=_EMBEDDED_AT_ONCE,
            )
        )
        if len(texts) == len(chunks):
            return made
        size = len(made) // len(texts)
        rest = iter([made[at : at + size] for at in range(0, len(made), size)])
        return b"".join(chunk.embedding or next(rest) for chunk in chunks)


def seen(draft: Draft, version: int, *, attributes: Mapping[str, Any], about: Mapping[str, Any] | None) -> Statement:
    """The statement that shows a group from a version of its index on."""
    pending = eq("index_number", draft.index.number) & eq("number", draft.number) & eq("state", "pending")
    values = {"state": "live", "changed": version, "chunks": draft.chunks, "attributes": dict(attributes)}
    return Update(GROUPS, values | {"about": about}, pending, expect=1)


def given_up(index: VectorIndex, group: int) -> list[Statement]:
    """The statements that have a group removed that was never seen."""
    pending = eq("index_number", index.number) & eq("number", group) & eq("state", "pending")
    return [Update(GROUPS, {"state": "dead"}, pending), removal(index, group)]


def taken_out(index: VectorIndex, groups: Sequence[int], version: int) -> list[Statement]:
    """The statements that let searches no longer find groups, and have them removed."""
    return [*set_state(index.number, groups, "dead", version), *(removal(index, group) for group in groups)]


def removal(index: VectorIndex, group: int) -> Insert:
    """The statement that has a group, or the whole index, removed everywhere; see `removing.py`."""
    place = {"provider_id": index.provider_id, "collection": index.collection}
    return Insert(REMOVALS, {"index_number": index.number, "number": group, **place}, replace=())


def _begun(draft: Draft) -> Insert:
    group = draft.group
    row = {"index_number": draft.index.number, "number": draft.number, "state": "pending", "changed": 0}
    row |= {"source": group.source, "filename": group.filename, "content": group.content}
    more = {"attributes": {}, "chunks": 0, "gone": [], "about": None, "expires_at": group.expires_at}
    return Insert(GROUPS, row | more)


def _kept(index: VectorIndex, number: int, chunk: NewChunk) -> Insert:
    key = {"index_number": index.number, "number": number}
    values = {"chunk_id": chunk.chunk_id, "facts": dict(chunk.facts), "text": chunk.text}
    return Insert(CHUNKS, key | values, replace=tuple(values))
