"""What callers want of the encoder's thread: vectors, or how well documents answer a query. A job says which token ids
are to be encoded, and makes its result of what becomes of them. Knows no threads (`encoder_worker.py`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from runtime.errors import RequestError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from runtime.engine.encoder import SentenceEncoder
    from runtime.engine.encoder_tokens import EncoderTokens


class Job(ABC):
    """One call.

    needs_tokens: whether it takes the vectors of a text's tokens, not the text's. ids: what is to be encoded, as the
    encoder reads it. left: which of these still are, shortest first; the last one is next. result: [texts, numbers],
    float32, filled step by step.
    """

    needs_tokens: ClassVar[bool]
    result: NDArray[np.float32]

    def __init__(self) -> None:
        self.future: Future[Any] = Future()
        self.ids: list[list[int]] = []
        self.left: list[int] = []

    @abstractmethod
    def prepare(self, tokens: EncoderTokens, encoder: SentenceEncoder) -> None:
        """Fill `ids` and `left`, and make room for the result. Raises RequestError for what cannot be encoded."""

    @abstractmethod
    def take(self, at: int, vectors: Any) -> None:
        """What became of `ids[at]`: its vector or those of its tokens, as `SentenceEncoder` returns them."""

    @abstractmethod
    def answer(self) -> object:
        """What the caller gets once everything was taken."""

    def _shortest_first(self, first: int = 0) -> list[int]:
        return sorted(range(first, len(self.ids)), key=lambda at: len(self.ids[at]))


@dataclass(frozen=True)
class Embeddings:
    """vectors: [texts, dimension], float32. prompt_tokens: what the model read, special tokens included."""

    vectors: NDArray[np.float32]
    prompt_tokens: int


class EmbeddingJob(Job):
    """Texts, or token ids without special ones, to be embedded. truncate: whether long ones are cut at the end."""

    needs_tokens = False

    def __init__(self, texts: Sequence[str | Sequence[int]], *, truncate: bool) -> None:
        super().__init__()
        self._texts, self._truncate = list(texts), truncate

    def prepare(self, tokens: EncoderTokens, encoder: SentenceEncoder) -> None:
        import numpy as np

        for at, text in enumerate(self._texts):
            ids = tokens.ids(text) if isinstance(text, str) else tokens.checked(text, at)
            self.ids.append(tokens.framed(tokens.fitting(ids, truncate=self._truncate, at=at)))
        self.left = self._shortest_first()
        self.result = np.empty((len(self.ids), encoder.config.hidden_size), dtype=np.float32)

    def take(self, at: int, vectors: Any) -> None:
        self.result[at] = vectors

    def answer(self) -> Embeddings:
        return Embeddings(self.result, sum(map(len, self.ids)))


@dataclass(frozen=True)
class Ranking:
    """scores: one for each document, 0 to 1, higher for a better answer. total_tokens: what the model read, special
    tokens included. query_tokens: of the whole query, without special ones. query_room: how many of these can be read.
    """

    scores: list[float]
    total_tokens: int
    query_tokens: int
    query_room: int


class RankingJob(Job):
    """Documents to be scored by late interaction: how near each token of the query comes to any token of the document.

    The score is the mean over the query's tokens of the largest cosine, at least 0. Khattab and Zaharia 2020 (ColBERT),
    section 3.3, which has the sum. A document of any length is read in windows that the encoder has room for; a query
    is cut to one. max_tokens: of a document; None for all.
    """

    needs_tokens = True

    def __init__(self, query: str, documents: Sequence[str], *, max_tokens: int | None = None) -> None:
        super().__init__()
        self._query, self._documents, self._max_tokens = query, list(documents), max_tokens
        self._document_of: list[int] = [-1]
        self._query_tokens = self._query_room = 0
        self._query_vectors: Any = None  # [query tokens, hidden_size], float32, on the model's device

    def prepare(self, tokens: EncoderTokens, encoder: SentenceEncoder) -> None:
        """Raises RequestError for a query without tokens."""
        import numpy as np

        query = tokens.ids(self._query)
        if not query:
            raise RequestError("`query` is empty", param="query", code="invalid_value")
        self._query_tokens, self._query_room, self._inner = len(query), tokens.room, tokens.inner
        self.ids.append(tokens.framed(query[: tokens.room]))
        for place, document in enumerate(self._documents):
            for window in _windows(tokens.ids(document)[: self._max_tokens], tokens.room):
                self.ids.append(tokens.framed(window))
                self._document_of.append(place)
        self.left = [*self._shortest_first(1), 0]
        self.result = np.zeros((len(self._documents), min(len(query), tokens.room)), dtype=np.float32)

    def take(self, at: int, vectors: Any) -> None:
        import numpy as np

        own = vectors[self._inner]
        if at == 0:
            self._query_vectors = own
            return
        nearest = (self._query_vectors @ own.T).amax(dim=1).cpu().numpy()
        best = self.result[self._document_of[at]]
        np.maximum(best, nearest, out=best)

    def answer(self) -> Ranking:
        scores = self.result.mean(axis=1, dtype="float64").clip(0, 1)
        return Ranking(scores.tolist(), sum(map(len, self.ids)), self._query_tokens, self._query_room)


def _windows(ids: list[int], room: int) -> Iterator[list[int]]:
    """As few pieces as there is room for, of about the same length; none of an empty document."""
    count = -(-len(ids) // room)
    for at in range(count):
        yield ids[at * len(ids) // count : (at + 1) * len(ids) // count]
