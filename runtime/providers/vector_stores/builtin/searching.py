"""Search in one index: by vector, by words, or both; within the groups that a filter leaves; fused and reranked.

The backend and the word index are asked for candidates, and may know groups that are not seen any more or not yet.
Those are left out here; where fewer are left than there must be, the search is made again within the groups that are
seen, and at last exactly, over the vectors themselves. So there are as many hits as were asked for, or as there are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from runtime.apis.inference.protocol import Inference, RerankRequest
from runtime.apis.vector_io.protocol import Hits, Vectors, group_of
from runtime.context import warn
from runtime.documents.words import query_words_of, words_of
from runtime.errors import StackError
from runtime.providers.vector_stores.builtin.embedding import TextEmbedder
from runtime.providers.vector_stores.builtin.filters import Test
from runtime.providers.vector_stores.builtin.fusion import Ranking, by_ranks, by_scores, in_unit_by_scale
from runtime.providers.vector_stores.builtin.index_vectors import IndexVectors
from runtime.providers.vector_stores.builtin.indexes import Group, Indexes, Retired, VectorIndex
from runtime.providers.vector_stores.builtin.tables import CHUNKS
from runtime.providers.vector_stores.builtin.vectors import has_direction, nearest
from runtime.providers.vector_stores.builtin.within import Within, passing
from runtime.providers.vector_stores.builtin.words import Words
from runtime.storage.sql import Row, Select, SqlStore, above, eq, one_of

if TYPE_CHECKING:
    from runtime.storage.words.ranking import Texts

T = TypeVar("T")
Mode = Literal["vector", "keyword", "hybrid"]
Fusion = Literal["rrf", "weighted", "normalized"]
_EXACT_CHUNKS = 1000
"""Of so many, the nearest are found by looking at all: an index over many more could miss some of a few."""
_MORE_FOR_GONE = 1000
"""So many hits are asked for besides, where chunks are gone whose vectors are still there."""
_READ_AT_ONCE = 4096
_OF_CHUNK = ("number", "chunk_id", "facts", "text")
_HALF_SCORE = 8.0
"""The BM25 of a chunk whose score is shown as 0.5; a good hit for two or three words."""


@dataclass(frozen=True, kw_only=True)
class Reranking:
    """share: how much the model's score counts, from 0 to 1; what was found counts the rest. is_wanted: whether a
    search fails that the model cannot rerank.
    """

    model: str
    share: float = 1.0
    is_wanted: bool = True


@dataclass(frozen=True, kw_only=True)
class Search:
    """A search. texts: each is searched for; a chunk's score is its best. test: of attributes, None for no filter.
    weights: of vector and keyword search in the fusion. candidates: how many of each are fused. reranked: how
    many of the first are reranked, where that is asked for. threshold: the least score.
    """

    texts: Sequence[str]
    mode: Mode = "vector"
    limit: int = 10
    test: Test | None = None
    fusion: Fusion = "rrf"
    weights: tuple[float, float] = (0.5, 0.5)
    impact_factor: float = 60.0
    candidates: int = 50
    reranked: int = 20
    reranking: Reranking | None = None
    threshold: float = 0.0


@dataclass(kw_only=True, slots=True)
class Found:
    """A hit. score: in [0, 1]. places: its position, from 1, and its score in each ranking that it is in, by the
    ranking's name: a cosine, a BM25, what fusion and a reranking model gave it. text: which of those that were searched
    for it fits best.
    """

    row: Row
    group: Group
    score: float
    text: str
    places: dict[str, tuple[int, float]] = field(default_factory=dict)


class Searching:
    """rows: all users' rows."""

    def __init__(
        self,
        rows: SqlStore,
        words: Words,
        *,
        vectors: IndexVectors,
        indexes: Indexes,
        embedding: TextEmbedder,
        inference: Inference,
    ) -> None:
        self._rows = rows
        self._words = words
        self._vectors = vectors
        self._indexes = indexes
        self._embedding = embedding
        self._inference = inference
        self._rebuilding = asyncio.Lock()

    async def search(self, index: VectorIndex, asked: Search) -> list[Found]:
        """The hits, best first. Raises Retired if the index was replaced meanwhile, Unavailable while the backend or a
        model is down, and what inference raises.
        """
        groups = await passing(index, asked.test)
        within = Within(index, groups)
        if not within.chunks:
            return []
        size = asked.limit if asked.mode != "hybrid" and asked.reranking is None else asked.candidates
        size = max(size, asked.limit)
        rankings = await self._rankings(within, asked, size)
        fused = _fused({name: one.best for name, one in rankings.items()}, asked)
        found = await self._chunks(index, fused, max(asked.reranked, asked.limit) if asked.reranking else asked.limit)
        candidates = [_explained(*one, rankings, asked) for one in found]
        if asked.mode == "hybrid":
            for place, one in enumerate(candidates, start=1):
                one.places["fused"] = (place, one.score)
        if asked.reranking is not None and candidates:
            candidates = await self._reranked(candidates, asked.reranking, asked.texts)
        return [one for one in candidates[: asked.limit] if one.score >= asked.threshold]

    async def _rankings(self, within: Within, asked: Search, size: int) -> dict[str, _OfTexts]:
        names = {"vector": ("vector",), "keyword": ("keyword",), "hybrid": ("vector", "keyword")}[asked.mode]
        asks = {"vector": self._by_vector, "keyword": self._by_words}
        found = await _each(asks[name](within, asked.texts, size) for name in names)
        return {name: _OfTexts(one, size) for name, one in zip(names, found, strict=True)}

    async def _by_vector(self, within: Within, texts: Sequence[str], size: int) -> list[Ranking]:
        index = within.index
        vectors = await self._embedding.query(texts, index.embedding_model, index.dimension)
        hits = await _each(self._near(within, vector, size) for vector in vectors)
        return [list(zip(one.numbers, one.similarities, strict=True)) for one in hits]

    async def _near(self, within: Within, vector: bytes, size: int) -> Hits:
        if not has_direction(vector):
            return Hits((), ())
        expected = min(size, within.chunks)
        if within.wanted is None or within.chunks > _EXACT_CHUNKS:
            limit = size + min(within.gone, _MORE_FOR_GONE)
            hits = within.only(await self._vectors.search(within.index, vector, limit, within.wanted))
            if len(hits.numbers) < expected and within.wanted is None:
                hits = within.only(await self._vectors.search(within.index, vector, limit, within.seen))
            if len(hits.numbers) >= expected:
                return Hits(hits.numbers[:size], hits.similarities[:size])
        among: list[Vectors] = []
        numbers = within.numbers()
        for at in range(0, len(numbers), _READ_AT_ONCE):
            among.append(await self._vectors.read(within.index, numbers[at : at + _READ_AT_ONCE]))
        return await asyncio.to_thread(nearest, vector, among, size)

    async def _by_words(self, within: Within, texts: Sequence[str], size: int) -> list[Ranking]:
        known = await self._whole_words(within.index)
        return await _each(self._with_words(within, query_words_of(text), size, known) for text in texts)

    async def _with_words(self, within: Within, words: Sequence[str], size: int, known: Texts) -> Ranking:
        if not words:
            return []
        number = within.index.number
        found = await self._words.index.search(number, words, limit=size, groups=within.wanted, texts=known)
        if not all(within.has(number) for number, _ in found):
            found = await self._words.index.search(number, words, limit=size, groups=within.seen)
        return [(number, bm25) for number, bm25 in found if within.has(number)]

    async def _whole_words(self, index: VectorIndex) -> Texts:
        """The texts in the word index, which is made anew if it does not have every chunk: its words may be of another
        version, or lost.
        """
        texts = await self._words.index.texts(index.number, known_at=index.version)
        if texts.count >= index.chunks:
            return texts
        async with self._rebuilding:
            if (texts := await self._words.index.texts(index.number)).count >= index.chunks:
                return texts  # another search has just made it
            after, mine = -1, eq("index_number", index.number)
            while rows := await self._rows.select(
                Select(CHUNKS, mine & above("number", after), ("number", "text"), ("number",), _READ_AT_ONCE)
            ):
                words = await asyncio.to_thread(_words_of_all, [row["text"] for row in rows])
                numbers = [row["number"] for row in rows]
                await self._words.index.put(index.number, list(zip(numbers, words, strict=True)))
                after = numbers[-1]
        return await self._words.index.texts(index.number)

    async def _chunks(self, index: VectorIndex, ranking: Ranking, limit: int) -> list[tuple[Row, Group, float]]:
        """The first chunks of a ranking that are there. Raises Retired if some are not since the index is retired."""
        found: list[tuple[Row, Group, float]] = []
        for at in range(0, len(ranking), limit):
            part = ranking[at : at + limit]
            mine = eq("index_number", index.number) & one_of("number", [number for number, _ in part])
            rows = {row["number"]: row for row in await self._rows.select(Select(CHUNKS, mine, _OF_CHUNK))}
            if len(rows) < len(part) and await self._indexes.is_retired(index.number):
                raise Retired
            for number, score in part:
                group = index.groups.get(group_of(number))
                if number in rows and group is not None and len(found) < limit:
                    found.append((rows[number], group, score))
            if len(found) == limit:
                break
        return found

    async def _reranked(self, candidates: list[Found], reranking: Reranking, texts: Sequence[str]) -> list[Found]:
        documents: list[str | dict[str, Any]] = [one.row["text"] for one in candidates]
        request = RerankRequest(
            model=reranking.model, query="\n".join(texts), documents=documents, top_n=len(documents)
        )
        try:
            results = (await self._inference.rerank(request)).value()["results"]
        except StackError as error:
            if reranking.is_wanted:
                raise
            warn(f"the hits are not reranked: {error.message}")
            return candidates
        results.sort(key=lambda result: (-result["relevance_score"], result["index"]))
        shown = in_unit_by_scale([result["relevance_score"] for result in results])
        for place, (result, score) in enumerate(zip(results, shown, strict=True), start=1):
            one = candidates[result["index"]]
            one.places["rerank"] = (place, result["relevance_score"])
            one.score = reranking.share * score + (1 - reranking.share) * one.score
        ranked = [candidates[result["index"]] for result in results]
        return sorted(ranked, key=lambda one: -one.score)


async def _each(several: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """What several searches find at the same time. One alone needs no task."""
    found = [*several]
    return [await found[0]] if len(found) == 1 else await asyncio.gather(*found)


class _OfTexts:
    """What was found for each text, as one ranking of so many at most, in which each chunk has its best score."""

    def __init__(self, rankings: Sequence[Ranking], size: int) -> None:
        found: dict[int, tuple[float, int]] = {}
        for text, ranking in enumerate(rankings):
            for number, score in ranking:
                if number not in found or score > found[number][0]:
                    found[number] = (score, text)
        best = sorted(found.items(), key=lambda one: (-one[1][0], one[0]))[:size]
        self.best: Ranking = [(number, score) for number, (score, _) in best]
        self.places = {number: (place, score) for place, (number, (score, _)) in enumerate(best, start=1)}
        """Position and score of each chunk."""
        self._texts = {number: text for number, (_, text) in best}

    def text(self, number: int) -> int:
        """Which text a chunk has its score for."""
        return self._texts[number]


def _explained(row: Row, group: Group, score: float, rankings: Mapping[str, _OfTexts], asked: Search) -> Found:
    number = row["number"]
    places = {name: at for name, ranking in rankings.items() if (at := ranking.places.get(number)) is not None}
    text = 0
    if len(asked.texts) > 1:
        text = rankings[min(places, key=lambda name: places[name][0])].text(number)
    return Found(row=row, group=group, score=score, text=asked.texts[text], places=places)


def _words_of_all(texts: Sequence[str]) -> list[list[str]]:
    return [words_of(text) for text in texts]


def _fused(rankings: dict[str, Ranking], asked: Search) -> Ranking:
    """One ranking, with scores in [0, 1]."""
    shown = {name: [(number, _SHOWN[name](score)) for number, score in one] for name, one in rankings.items()}
    if len(shown) == 1:
        return next(iter(shown.values()))
    both = [shown["vector"], shown["keyword"]]
    if asked.fusion == "rrf":
        return by_ranks(both, asked.weights, impact_factor=asked.impact_factor)
    return by_scores(both, asked.weights, stretch=asked.fusion == "weighted")


def _in_unit(value: float) -> float:
    return min(max(value, 0.0), 1.0)


def _of_bm25(score: float) -> float:
    return score / (score + _HALF_SCORE)


_SHOWN: dict[str, Callable[[float], float]] = {"vector": _in_unit, "keyword": _of_bm25}
"""The scores of a ranking as a hit has them."""
