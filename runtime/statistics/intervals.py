"""How sure one can be of a mean.

The percentile bootstrap: the mean of as many values, drawn from them with replacement, many times over (B. Efron, R. J.
Tibshirani: An Introduction to the Bootstrap, 1993, chapter 13). The same values have the same interval.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from statistics import fmean

_MOST_RESAMPLES, _FEWEST_RESAMPLES, _MOST_DRAWS = 2000, 200, 4_000_000


def mean_interval(
    values: Sequence[float], weights: Sequence[float] | None = None, *, confidence: float = 0.95
) -> tuple[float, float]:
    """Between which two numbers the mean is, with this confidence. values: one at least. weights: not all 0."""
    return interval_of(resampled_means(values, weights), confidence=confidence)


def resampled_means(values: Sequence[float], weights: Sequence[float] | None = None) -> list[float]:
    """The means of values that are drawn anew, the smallest first. For the rest see `mean_interval`."""
    count, chance = len(values), random.Random(0)  # noqa: S311  # not a secret
    resamples = max(_FEWEST_RESAMPLES, min(_MOST_RESAMPLES, _MOST_DRAWS // count))
    if weights is None:
        return sorted(fmean(chance.choices(values, k=count)) for _ in range(resamples))
    return sorted(_weighted(chance, values, weights) for _ in range(resamples))


def interval_of(means: Sequence[float], *, confidence: float = 0.95) -> tuple[float, float]:
    """The middle part of resampled means that has this share of them. means: the smallest first."""
    outside = (1 - confidence) / 2
    return means[int(outside * len(means))], means[min(len(means) - 1, int((1 - outside) * len(means)))]


def _weighted(chance: random.Random, values: Sequence[float], weights: Sequence[float]) -> float:
    while True:
        drawn = chance.choices(range(len(values)), k=len(values))
        if total := sum(weights[at] for at in drawn):
            return sum(values[at] * weights[at] for at in drawn) / total
