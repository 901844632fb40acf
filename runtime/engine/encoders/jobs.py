"""What a caller wants of the encoder's thread, such as vectors. A job says which token ids are to be encoded and how,
and makes its result of what becomes of them. Knows no threads (`worker.py`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from runtime.engine.checkpoints.encoder_config import EncoderConfig
    from runtime.engine.encoders.tokens import EncoderTokens


class Job(ABC):
    """One call.

    ids: what is to be encoded, as the encoder reads it. left: which of these still are, shortest first; the last one is
    next. result: [texts] or [texts, numbers], float32, filled step by step.
    """

    result: NDArray[np.float32]

    def __init__(self) -> None:
        self.future: Future[Any] = Future()
        self.ids: list[list[int]] = []
        self.left: list[int] = []

    @abstractmethod
    def prepare(self, tokens: EncoderTokens, config: EncoderConfig) -> None:
        """Fill `ids` and `left`, and make room for the result. Raises RequestError for what cannot be encoded."""

    @classmethod
    @abstractmethod
    def encode(cls, encoder: Any, chosen: Sequence[tuple[Self, int]]) -> Sequence[Any]:
        """What becomes of `ids[at]` of each job and `at` that are chosen, by the encoder that such jobs need."""

    @abstractmethod
    def take(self, at: int, made: Any) -> None:
        """What became of `ids[at]`, as `encode` returns it."""

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

    def __init__(self, texts: Sequence[str | Sequence[int]], *, truncate: bool) -> None:
        super().__init__()
        self._texts, self._truncate = list(texts), truncate

    def prepare(self, tokens: EncoderTokens, config: EncoderConfig) -> None:
        import numpy as np

        for at, text in enumerate(self._texts):
            ids = tokens.ids(text) if isinstance(text, str) else tokens.checked(text, at)
            self.ids.append(tokens.framed(tokens.fitting(ids, truncate=self._truncate, at=at)))
        self.left = self._shortest_first()
        self.result = np.empty((len(self.ids), config.hidden_size), dtype=np.float32)

    @classmethod
    def encode(cls, encoder: Any, chosen: Sequence[tuple[Self, int]]) -> Sequence[Any]:
        """Their vectors, by a `SentenceEncoder`."""
        vectors: Sequence[Any] = encoder.encode([job.ids[at] for job, at in chosen])
        return vectors

    def take(self, at: int, made: Any) -> None:
        self.result[at] = made

    def answer(self) -> Embeddings:
        return Embeddings(self.result, sum(map(len, self.ids)))
