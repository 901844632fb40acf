"""Search in one index: by vector, by words, or both; within the groups that a filter leaves; fused and reranked.

The backend and the word index are asked for candidates, and may know groups that are not seen any more or not yet.
Those are left out here; where fewer are left than there must be, the search is made again within the groups that are
seen, and at last exactly, over the vectors themselves. So there are as many hits as were asked for, or as there are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from runtime.apis.inference import Inference, RerankRequest
from runtime.apis.vector_io import GROUP_BITS, Hits, ReadVectors, SearchVectors, VectorIo, Vectors, group_of
from runtime.documents.words import query_words_of, words_of
from runtime.providers.vector_stores.builtin.embedding import Embedding
from runtime.providers.vector_stores.builtin.filters import Test
from runtime.providers.vector_stores.builtin.fusion import Ranking, by_ranks, by_scores
from runtime.providers.vector_stores.builtin.indexes import Group, Index
from runtime.providers.vector_stores.builtin.tables import CHUNKS
from runtime.providers.vector_stores.builtin.vectors import nearest
from runtime.storage.sql import Row, Select, SqlStore, above, eq, one_of
from runtime.storage.words.index import WordIndex

Mode = Literal["vector", "keyword", "hybrid"]
Fusion = Literal["rrf", "weighted", "normalized"]
_EXACT_CHUNKS = 1000
"""Of so many, the nearest are found by looking at all: an index over many more could miss some of a few."""
_READ_AT_ONCE = 4096
_MANY_GROUPS = 10_000
_HALF_SCORE = 8.0
"""The BM25 of a chunk whose score is shown as 0.5; a good hit for two or three words."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A search. texts: each is searched for; a chunk's score is its best. test: of attributes, None for no filter.
    weights: of vector and keyword search in the fusion. candidates: how many of each are fused and reranked. reranker:
    a model, None for none. threshold: the least score.
    """

    texts: Sequence[str]
    mode: Mode = "vector"
    limit: int = 10
    test: Test | None = None
    fusion: Fusion = "rrf"
    weights: tuple[float, float] = (0.5, 0.5)
    impact_factor: float = 60.0
    candidates: int = 50
    reranker: str | None = None
    threshold: float = 0.0


@dataclass(kw_only=True)
class Found:
    """A hit. score: in [0, 1]. places: its position, from 1, and its score in each ranking that it is in, by the
    ranking's name: a cosine, a BM25, what fusion and a reranking model gave it.
    """

    row: Row
    group: Group
    score: float
    places: dict[str, tuple[int, float]] = field(default_factory=dict)


class Searching:
    """rows: all users' rows."""

    def __init__(
        self, rows: SqlStore, words: WordIndex, backends: VectorIo, embedding: Embedding, inference: Inference
    ) -> None:
        self._rows = rows
        self._words = words
        self._backends = backends
        self._embedding = embedding
        self._inference = inference
        self._rebuilding = asyncio.Lock()

    async def search(self, index: Index, asked: Asked) -> list[Found]:
        """The hits, best first. Raises Unavailable while the backend or a model is down, and what inference raises."""
        groups = await _passing(index, asked.test)
        within = _Within(index, groups)
        if not within.chunks:
            return []
        size = asked.limit if asked.mode != "hybrid" and asked.reranker is None else asked.candidates
        size = max(size, asked.limit)
        rankings = await self._rankings(within, asked, size)
        ranking = _fused(rankings, asked)
        candidates = await self._chunks(index, ranking, size if asked.reranker else asked.limit)
        for name, ranked in rankings.items() if len(candidates) else ():
            places = {number: (place, score) for place, (number, score) in enumerate(ranked, start=1)}
            for one in candidates:
                if (at := places.get(one.row["number"])) is not None:
                    one.places[name] = at
        if asked.mode == "hybrid":
            for place, one in enumerate(candidates, start=1):
                one.places["fused"] = (place, one.score)
        if asked.reranker is not None and candidates:
            candidates = await self._reranked(candidates, asked.reranker, asked.texts)
        return [one for one in candidates[: asked.limit] if one.score >= asked.threshold]

    async def _rankings(self, within: _Within, asked: Asked, size: int) -> dict[str, Ranking]:
        names = {"vector": ("vector",), "keyword": ("keyword",), "hybrid": ("vector", "keyword")}[asked.mode]
        asks = {"vector": self._by_vector, "keyword": self._by_words}
        found = await asyncio.gather(*(asks[name](within, asked.texts, size) for name in names))
        return dict(zip(names, found, strict=True))

    async def _by_vector(self, within: _Within, texts: Sequence[str], size: int) -> Ranking:
        index = within.index
        vectors = await self._embedding.query(texts, index.embedding_model, index.dimension)
        hits = await asyncio.gather(*(self._near(within, vector, size) for vector in vectors))
        return _best([list(zip(one.numbers, one.similarities, strict=True)) for one in hits], size)

    async def _near(self, within: _Within, vector: bytes, size: int) -> Hits:
        expected = min(size, within.chunks)
        if within.wanted is None or within.chunks > _EXACT_CHUNKS:
            tries = (within.wanted, within.seen) if within.wanted is None else (within.wanted,)
            for groups in tries:
                request = SearchVectors(**within.place, vector=vector, limit=size, groups=groups)
                hits = within.only(await self._backends.search_vectors(request))
                if len(hits.numbers) >= expected:
                    return hits
        among: list[Vectors] = []
        numbers = within.numbers()
        for at in range(0, len(numbers), _READ_AT_ONCE):
            request_ = ReadVectors(**within.place, numbers=numbers[at : at + _READ_AT_ONCE])
            among.append(await self._backends.read_vectors(request_))
        return await asyncio.to_thread(nearest, vector, among, size)

    async def _by_words(self, within: _Within, texts: Sequence[str], size: int) -> Ranking:
        await self._have_words(within.index)
        found = await asyncio.gather(*(self._with_words(within, query_words_of(text), size) for text in texts))
        return _best(found, size)

    async def _with_words(self, within: _Within, words: Sequence[str], size: int) -> Ranking:
        if not words:
            return []
        tries = (within.wanted, within.seen) if within.wanted is None else (within.wanted,)
        ranking: Ranking = []
        for groups in tries:
            found = await self._words.search(within.index.number, words, limit=size, groups=groups)
            ranking = [(number, bm25) for number, bm25 in found if within.has(number)]
            if len(ranking) == len(found):
                break
        return ranking

    async def _have_words(self, index: Index) -> None:
        """Make the word index anew if it is not there: only tables are exported and imported."""
        if await self._words.count(index.number):
            return
        async with self._rebuilding:
            after, mine = -1, eq("index_number", index.number)
            while rows := await self._rows.select(
                Select(CHUNKS, mine & above("number", after), ("number", "text"), ("number",), _READ_AT_ONCE)
            ):
                words = await asyncio.to_thread(_words_of_all, [row["text"] for row in rows])
                numbers = [row["number"] for row in rows]
                await self._words.put(index.number, list(zip(numbers, words, strict=True)))
                after = numbers[-1]

    async def _chunks(self, index: Index, ranking: Ranking, limit: int) -> list[Found]:
        """The first chunks of a ranking that are there."""
        found: list[Found] = []
        for at in range(0, len(ranking), limit):
            part = ranking[at : at + limit]
            mine = eq("index_number", index.number) & one_of("number", [number for number, _ in part])
            rows = {row["number"]: row for row in await self._rows.select(Select(CHUNKS, mine))}
            for number, score in part:
                group = index.groups.get(group_of(number))
                if number in rows and group is not None and len(found) < limit:
                    found.append(Found(row=rows[number], group=group, score=score))
            if len(found) == limit:
                break
        return found

    async def _reranked(self, candidates: list[Found], model: str, texts: Sequence[str]) -> list[Found]:
        documents: list[str | dict[str, Any]] = [one.row["text"] for one in candidates]
        answer = await self._inference.rerank(
            RerankRequest(model=model, query="\n".join(texts), documents=documents, top_n=len(documents))
        )
        ranked = []
        for place, result in enumerate(answer.value()["results"], start=1):
            one = candidates[result["index"]]
            one.score = _in_unit(result["relevance_score"])
            one.places["rerank"] = (place, result["relevance_score"])
            ranked.append(one)
        return ranked


class _Within:
    """The part of an index that is searched. wanted: its groups, None for all. chunks: how many they have."""

    def __init__(self, index: Index, groups: Sequence[Group] | None) -> None:
        self.index = index
        self.place: dict[str, Any] = {"provider_id": index.provider_id, "collection": index.collection}
        self._groups = list(index.groups.values()) if groups is None else groups
        self.wanted = None if groups is None else [group.number for group in groups]
        self.chunks = index.chunks if groups is None else sum(group.chunks for group in groups)
        self._known = index.groups.keys() if groups is None else {group.number for group in groups}

    @property
    def seen(self) -> list[int]:
        """Its groups, also where all are wanted."""
        return [group.number for group in self._groups]

    def has(self, number: int) -> bool:
        return group_of(number) in self._known

    def only(self, hits: Hits) -> Hits:
        """Those that are in it."""
        kept = [
            (number, similarity)
            for number, similarity in zip(hits.numbers, hits.similarities, strict=True)
            if self.has(number)
        ]
        return Hits([number for number, _ in kept], [similarity for _, similarity in kept])

    def numbers(self) -> list[int]:
        """Of every vector in it."""
        return [(group.number << GROUP_BITS) + ordinal for group in self._groups for ordinal in range(group.chunks)]


def _words_of_all(texts: Sequence[str]) -> list[list[str]]:
    return [words_of(text) for text in texts]


async def _passing(index: Index, test: Test | None) -> list[Group] | None:
    """The groups whose attributes pass; None for all of them."""
    if test is None:
        return None
    if len(index.groups) < _MANY_GROUPS:
        passing = _tested(list(index.groups.values()), test)
    else:
        passing = await asyncio.to_thread(_tested, list(index.groups.values()), test)
    return None if len(passing) == len(index.groups) else passing


def _tested(groups: Sequence[Group], test: Callable[[Any], bool]) -> list[Group]:
    return [group for group in groups if test(group.attributes)]


def _fused(rankings: dict[str, Ranking], asked: Asked) -> Ranking:
    """One ranking, with scores in [0, 1]."""
    shown = {name: [(number, _SHOWN[name](score)) for number, score in one] for name, one in rankings.items()}
    if len(shown) == 1:
        return next(iter(shown.values()))
    both = [shown["vector"], shown["keyword"]]
    if asked.fusion == "rrf":
        return by_ranks(both, asked.weights, impact_factor=asked.impact_factor)
    return by_scores(both, asked.weights, stretch=asked.fusion == "weighted")


def _best(rankings: Sequence[Ranking], size: int) -> Ranking:
    """One ranking of several for the same thing: each chunk with its best score."""
    if len(rankings) == 1:
        return rankings[0]
    best: dict[int, float] = {}
    for ranking in rankings:
        for number, score in ranking:
            best[number] = max(score, best.get(number, score))
    return sorted(best.items(), key=lambda one: (-one[1], one[0]))[:size]


def _in_unit(value: float) -> float:
    return min(max(value, 0.0), 1.0)


def _of_bm25(score: float) -> float:
    return score / (score + _HALF_SCORE)


_SHOWN: dict[str, Callable[[float], float]] = {"vector": _in_unit, "keyword": _of_bm25}
"""The scores of a ranking as a hit has them."""
