"""Rows that differ: from copies and near copies, the first one is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from runtime.apis.inference.protocol import EmbeddingsRequest, Inference
from runtime.apis.inference.sense import making_sense
from runtime.apis.synthetic_data_generation.request import Diversity
from runtime.providers._background.asking import patiently
from runtime.providers._background.pacing import Pace
from runtime.providers._earlier.renaming import renamed
from runtime.providers.synthetic_data_generation.builtin.pieces import most_similarity, plain, similarity, sketch_of
from runtime.providers.synthetic_data_generation.builtin.sample import Sample
from runtime.sse import encode

if TYPE_CHECKING:
    import numpy as np

_TEXTS_AT_ONCE = 128


class Measure(Protocol):
    """How alike texts are, by what stands for each. usual: from when on they count as copies."""

    usual: float

    async def stand_ins(self, texts: Sequence[str]) -> list[Any]: ...
    def is_like_any(self, one: Any, others: Sequence[Any], most: float) -> bool:
        """Whether one of the others is more alike to it than `most`. others: one at least."""
        ...


class ByPieces:
    """By what they are written with."""

    usual = 0.8

    async def stand_ins(self, texts: Sequence[str]) -> list[Any]:
        return await asyncio.to_thread(lambda: [sketch_of(text) for text in texts])

    def is_like_any(self, one: Any, others: Sequence[Any], most: float) -> bool:
        return any(similarity(one, other) > most for other in others if most_similarity(one, other) > most)


class ByVectors:
    """By what they mean to an embedding model."""

    usual = 0.95

    def __init__(self, inference: Inference, model: str, pace: Pace) -> None:
        self._inference = inference
        self._model = model
        self._pace = pace

    async def stand_ins(self, texts: Sequence[str]) -> list[Any]:
        """Raises as inference does."""
        found: list[Any] = []
        for at in range(0, len(texts), _TEXTS_AT_ONCE):
            part = [text or " " for text in texts[at : at + _TEXTS_AT_ONCE]]
            asked = EmbeddingsRequest(model=self._model, input=part, encoding_format="float")
            answer = await renamed(
                patiently(partial(self._inference.embeddings, asked), self._pace),
                {"model": "diversity.embedding_model"},
            )
            with making_sense("synthetic_data_generation"):
                found += _unit_vectors(answer.value()["data"], len(part))
        return found

    def is_like_any(self, one: Any, others: Sequence[Any], most: float) -> bool:
        import numpy as np

        return bool((np.stack(others) @ one).max() > most)


class Distinct:
    """What is there, and what is like it. diversity: how much rows have to differ. pace: of the embedding model's
    provider, where there is one.
    """

    def __init__(self, diversity: Diversity, inference: Inference, pace: Pace) -> None:
        model, most = diversity.embedding_model, diversity.max_similarity
        self._measure: Measure = ByVectors(inference, model, pace) if model else ByPieces()
        self._most = self._measure.usual if most is None else most
        self._copies: set[str] = set()
        self._there: list[Any] = []

    async def take(self, samples: Sequence[Sample], *, are_seeds: bool = False) -> list[Sample]:
        """Those that differ from all before, which are remembered. are_seeds: all are, whatever they are like."""
        if not samples:
            return []
        stand_ins = await self._measure.stand_ins([plain(sample.told) for sample in samples])
        return await asyncio.to_thread(self._those_that_differ, samples, stand_ins, are_seeds)

    def _those_that_differ(self, samples: Sequence[Sample], stand_ins: Sequence[Any], are_seeds: bool) -> list[Sample]:
        taken = []
        for sample, stand_in in zip(samples, stand_ins, strict=True):
            copy = plain(encode(dict(sorted(sample.row.items()))).decode())
            is_new = copy not in self._copies
            if is_new and not are_seeds and self._there and self._most < 1:
                is_new = not self._measure.is_like_any(stand_in, self._there, self._most)
            if is_new:
                self._copies.add(copy)
                self._there.append(stand_in)
                taken.append(sample)
        return taken


def _unit_vectors(entries: Sequence[Any], wanted: int) -> list[np.ndarray[Any, np.dtype[np.float32]]]:
    """In the order of the texts. Raises ValueError for fewer than are wanted, or what are no numbers."""
    import numpy as np

    rows = np.asarray([one["embedding"] for one in sorted(entries, key=lambda one: one["index"])], dtype=np.float32)
    if rows.ndim != 2 or len(rows) != wanted or not np.isfinite(rows).all():
        raise ValueError("not one vector for each text")
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return list(rows / np.where(lengths > 0, lengths, 1))
