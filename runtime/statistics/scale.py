"""Numbers near the end of what a float can be, divided so that sums of them and of their cubes are floats too."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass

_MOST = 2.0**256
"""Of numbers that are computed with as they are: a million cubes of such are still a float."""
_LARGEST = sys.float_info.max


@dataclass(frozen=True, slots=True)
class Scale:
    """divisor: a power of two, by which a division changes no digit."""

    divisor: float

    def down(self, values: Iterable[float]) -> list[float]:
        """Values to compute with."""
        return list(values) if self.divisor == 1 else [value / self.divisor for value in values]

    def up(self, found: float) -> float:
        """What was computed of them, as it is of the values themselves; the largest float for anything beyond."""
        return max(-_LARGEST, min(found * self.divisor, _LARGEST))


def scale_of(values: Iterable[float]) -> Scale:
    """The scale for finite values."""
    largest = max(map(abs, values), default=0.0)
    return Scale(1.0 if largest <= _MOST else math.ldexp(1.0, math.frexp(largest)[1] - 1))
