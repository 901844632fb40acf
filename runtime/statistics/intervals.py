"""How sure one can be of a mean.

The percentile bootstrap: the mean of as many values, drawn from them with replacement, many times over (B. Efron, R. J.
Tibshirani: An Introduction to the Bootstrap, 1993, chapter 13). Of many values those means are not drawn but computed:
they are distributed normally, but for their skewness (P. Hall: The Bootstrap and Edgeworth Expansion, 1992, section
2.5). Of few values those means lie too near to each other, so that the interval is wider, by what Student's t is wider
than the normal distribution: expanded percentiles (T. C. Hesterberg: What Teachers Should Know About the Bootstrap, The
American Statistician 69, 2015). The same values have the same interval.

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
from runtime.statistics.student import beyond, quantile

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
    count = len(values) if weights is None else _as_many(weights)
    low, high = interval_of(resampled_means(scale.down(values), weights), count, confidence=confidence)
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


def interval_of(means: Sequence[float], count: float, *, confidence: float = 0.95) -> tuple[float, float]:
    """The middle part of resampled means that stands for this share of all. means: the smallest first. count: of how
    many values.
    """
    outside = _resampled_share(1 - confidence, count) / 2
    return means[int(outside * len(means))], means[min(len(means) - 1, int((1 - outside) * len(means)))]


def real_share(share: float, count: float) -> float:
    """The share of means beyond a distance, where this share of resampled means is. count: of how many values."""
    if count <= 1 or share >= 1:
        return 1.0
    return beyond(NormalDist().inv_cdf(1 - share / 2) * sqrt((count - 1) / count), count - 1)


def _resampled_share(share: float, count: float) -> float:
    """The opposite."""
    if count <= 1:
        return 0.0
    return 2 * NormalDist().cdf(-quantile(share, count - 1) * sqrt(count / (count - 1)))


def _as_many(weights: Sequence[float]) -> float:
    """How many equal weights are worth as much (L. Kish: Survey Sampling, 1965)."""
    return fsum(weights) ** 2 / fsum(weight * weight for weight in weights)


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
