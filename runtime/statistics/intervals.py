"""How sure one can be of a mean.

The percentile bootstrap: the mean of as many values, drawn from them with replacement, many times over (B. Efron, R. J.
Tibshirani: An Introduction to the Bootstrap, 1993, chapter 13). Of many values those means are not drawn but computed:
they are distributed normally, but for their skewness (P. Hall: The Bootstrap and Edgeworth Expansion, 1992, section
2.5). The same values have the same interval.

Values that are 0 or 1 have Wilson's interval (E. B. Wilson: Probable inference, the law of succession, and statistical
inference, Journal of the American Statistical Association 22, 1927): ten of ten right do not mean that all will be, as
the bootstrap says.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from math import fsum, sqrt
from statistics import NormalDist, fmean

from runtime.statistics.scale import scale_of

_RESAMPLES = 2000
_MOST_DRAWN = 2000
"""Values; the means of more are computed."""


def mean_interval(
    values: Sequence[float], weights: Sequence[float] | None = None, *, confidence: float = 0.95
) -> tuple[float, float]:
    """Between which two numbers the mean is, with this confidence. values: finite, one at least. weights: not all 0."""
    if weights is None and {*values} <= {0.0, 1.0}:
        return _wilson(fsum(values), len(values), NormalDist().inv_cdf((1 + confidence) / 2))
    scale = scale_of(values)
    low, high = interval_of(resampled_means(scale.down(values), weights), confidence=confidence)
    return scale.up(low), scale.up(high)


def resampled_means(values: Sequence[float], weights: Sequence[float] | None = None) -> list[float]:
    """The means of values that are drawn anew, the smallest first. For the rest see `mean_interval`."""
    count = len(values)
    if count > _MOST_DRAWN:
        return _computed(values, weights)
    chance = random.Random(0)  # noqa: S311  # not a secret
    if weights is None:
        return sorted(fmean(chance.choices(values, k=count)) for _ in range(_RESAMPLES))
    return sorted(_weighted(chance, values, weights) for _ in range(_RESAMPLES))


def interval_of(means: Sequence[float], *, confidence: float = 0.95) -> tuple[float, float]:
    """The middle part of resampled means that has this share of them. means: the smallest first."""
    outside = (1 - confidence) / 2
    return means[int(outside * len(means))], means[min(len(means) - 1, int((1 - outside) * len(means)))]


def _weighted(chance: random.Random, values: Sequence[float], weights: Sequence[float]) -> float:
    while True:
        drawn = chance.choices(range(len(values)), k=len(values))
        if total := sum(weights[at] for at in drawn):
            return sum(values[at] * weights[at] for at in drawn) / total


def _computed(values: Sequence[float], weights: Sequence[float] | None) -> list[float]:
    """The quantiles of the means, of their first three cumulants: the Cornish-Fisher expansion."""
    if weights is None:
        mean, count = fmean(values), len(values)
        parts = [(value - mean) / count for value in values]
    else:
        total = fsum(weights)
        mean = fsum(value * weight for value, weight in zip(values, weights, strict=True)) / total
        parts = [(value - mean) * weight / total for value, weight in zip(values, weights, strict=True)]
    deviation = sqrt(fsum(part * part for part in parts))
    if not deviation:
        return [mean] * _RESAMPLES
    skewness = fsum(part * part * part for part in parts) / deviation**3
    normal = (NormalDist().inv_cdf((place + 0.5) / _RESAMPLES) for place in range(_RESAMPLES))
    return sorted(mean + deviation * (one + skewness * (one * one - 1) / 6) for one in normal)


def _wilson(right: float, count: int, deviations: float) -> tuple[float, float]:
    """deviations: of the normal distribution, within which the confidence lies."""
    spread = deviations * deviations
    middle = (right + spread / 2) / (count + spread)
    half = deviations * sqrt(right * (count - right) / count + spread / 4) / (count + spread)
    # Not what rounding leaves of the ends.
    return middle - half if right else 0.0, middle + half if right < count else 1.0
