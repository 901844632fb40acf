"""Jobs that rank: how well documents answer a query, by the vectors of their tokens or by a cross-encoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from runtime.engine.encoders.jobs import Job
from runtime.engine.encoders.pairs import longest_first
from runtime.errors import RequestError

if TYPE_CHECKING:
    from runtime.engine.checkpoints.encoder_config import EncoderConfig
    from runtime.engine.encoders.tokens import EncoderTokens


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """scores: one for each document, higher for a better answer. total_tokens: what the model read, special tokens
    included. query_tokens: of the whole query, without special ones. query_read: how many of these were read with every
    document. documents_cut: those that were not read to the end, or to where the caller wanted.
    """

    scores: list[float]
    total_tokens: int
    query_tokens: int
    query_read: int
    documents_cut: tuple[int, ...] = ()


def _query_ids(tokens: EncoderTokens, query: str) -> list[int]:
    """All token ids of a query, without special ones. Raises RequestError for one that has none."""
    ids = tokens.ids(query)
    if not ids:
        raise RequestError("`query` is empty", param="query", code="invalid_value")
    return ids


class MaxSimJob(Job):
    """Documents to be scored by late interaction: how near each token of the query comes to any token of the document.

    The score is the mean over the query's tokens of the largest cosine, at least 0. Khattab and Zaharia 2020 (ColBERT),
    section 3.3, which has the sum. A document of any length is read in windows that the encoder has room for; a query
    is cut to one. max_tokens: of a document; None for all.
    """

    def __init__(self, query: str, documents: Sequence[str], *, max_tokens: int | None = None) -> None:
        super().__init__()
        self._query, self._documents, self._max_tokens = query, list(documents), max_tokens
        self._document_of: list[int] = [-1]
        self._query_tokens = 0
        self._query_vectors: Any = None  # [query tokens, hidden_size], float32, on the model's device

    def prepare(self, tokens: EncoderTokens, config: EncoderConfig) -> None:
        """Raises RequestError for a query without tokens."""
        import numpy as np

        query = _query_ids(tokens, self._query)
        self._query_tokens, self._inner = len(query), tokens.inner
        self.ids.append(tokens.framed(query[: tokens.room]))
        for place, document in enumerate(self._documents):
            for window in _windows(tokens.ids(document)[: self._max_tokens], tokens.room):
                self.ids.append(tokens.framed(window))
                self._document_of.append(place)
        self.left = [*self._shortest_first(1), 0]
        self.result = np.zeros((len(self._documents), min(len(query), tokens.room)), dtype=np.float32)

    @classmethod
    def encode(cls, encoder: Any, chosen: Sequence[tuple[Self, int]]) -> Sequence[Any]:
        """The vectors of their tokens, by a `SentenceEncoder`."""
        vectors: Sequence[Any] = encoder.encode_tokens([job.ids[at] for job, at in chosen])
        return vectors

    def take(self, at: int, made: Any) -> None:
        import numpy as np

        own = made[self._inner]
        if at == 0:
            self._query_vectors = own
            return
        nearest = (self._query_vectors @ own.T).amax(dim=1).cpu().numpy()
        best = self.result[self._document_of[at]]
        np.maximum(best, nearest, out=best)

    def answer(self) -> Ranking:
        scores = self.result.mean(axis=1, dtype="float64").clip(0, 1)
        return Ranking(
            scores=scores.tolist(),
            total_tokens=sum(map(len, self.ids)),
            query_tokens=self._query_tokens,
            query_read=self.result.shape[1],
        )


def _windows(ids: list[int], room: int) -> Iterator[list[int]]:
    """As few pieces as there is room for, of about the same length; none of an empty document."""
    count = -(-len(ids) // room)
    for at in range(count):
        yield ids[at * len(ids) // count : (at + 1) * len(ids) // count]


class PairsJob(Job):
    """Documents to be scored by a cross-encoder, each read together with the query.

    What is too long for the model is cut at the end, the longer of the two first. max_tokens: of a document; None for
    as many as there is room for.
    """

    def __init__(self, query: str, documents: Sequence[str], *, max_tokens: int | None = None) -> None:
        super().__init__()
        self._query, self._documents, self._max_tokens = query, list(documents), max_tokens
        self._query_tokens = self._query_read = 0
        self._segments: list[list[int]] = []
        self._cut: list[int] = []

    def prepare(self, tokens: EncoderTokens, config: EncoderConfig) -> None:
        """Raises RequestError for a query without tokens."""
        import numpy as np

        assert tokens.pairs is not None, "only a cross-encoder reads pairs"
        query = _query_ids(tokens, self._query)
        self._query_tokens = self._query_read = len(query)
        for place, document in enumerate(self._documents):
            wanted = tokens.ids(document)[: self._max_tokens]
            asked, told = longest_first(len(query), len(wanted), tokens.pairs.room)
            ids, segments = tokens.pairs.framed(query[:asked], wanted[:told])
            self.ids.append(ids)
            self._segments.append(segments)
            self._query_read = min(self._query_read, asked)
            if told < len(wanted):
                self._cut.append(place)
        self.left = self._shortest_first()
        self.result = np.zeros(len(self._documents), dtype=np.float32)

    @classmethod
    def encode(cls, encoder: Any, chosen: Sequence[tuple[Self, int]]) -> Sequence[Any]:
        """Their scores, by a `CrossEncoder`."""
        pairs, segments = [job.ids[at] for job, at in chosen], [job._segments[at] for job, at in chosen]
        scores: Sequence[Any] = encoder.score(pairs, segments)
        return scores

    def take(self, at: int, made: Any) -> None:
        self.result[at] = made

    def answer(self) -> Ranking:
        return Ranking(
            scores=self.result.tolist(),
            total_tokens=sum(map(len, self.ids)),
            query_tokens=self._query_tokens,
            query_read=self._query_read,
            documents_cut=tuple(self._cut),
        )
