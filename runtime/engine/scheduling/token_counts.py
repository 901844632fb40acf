"""Which tokens a sequence has and how often, kept as it grows: penalties ask for that in every step, and what has been
counted is not counted again. Knows token ids; no sequences, no tensors. A server imports this before it loads a model,
so numpy comes with the first sequence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    T = TypeVar("T", bound=np.generic)

_ROOM = 64


class TokenCounts:
    """Of one sequence, from the place `start` on."""

    def __init__(self, start: int = 0) -> None:
        import numpy as np

        self._counted = start
        self._places: dict[int, int] = {}
        self._ids, self._counts = np.zeros(_ROOM, np.int64), np.zeros(_ROOM, np.float32)

    def of(self, tokens: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The tokens that are there, each once, and how often each is: [tokens], int64, and [tokens], float32, both
        valid until the next call. tokens: the sequence's so far: those of the last call, and more.
        """
        for token in tokens[self._counted :]:
            place = self._places.setdefault(token, len(self._places))
            if place == len(self._ids):
                self._ids, self._counts = _twice(self._ids), _twice(self._counts)
            self._ids[place] = token
            self._counts[place] += 1
        self._counted = max(self._counted, len(tokens))
        found = len(self._places)
        return self._ids[:found], self._counts[:found]


def _twice(values: NDArray[T]) -> NDArray[T]:
    """With room for as many more. values: [room], of any dtype."""
    import numpy as np

    return np.concatenate([values, np.zeros_like(values)])
