"""Whether a difference between two measurements of the same things is real.

Where both are 0 and 1, McNemar's exact test: of the things that changed, would so many have changed one way by chance
(Q. McNemar: Note on the sampling error of the difference between correlated proportions, Psychometrika 12, 1947)?
Elsewhere the paired bootstrap: how often is the mean of differences that are drawn anew as far from theirs as that is
from 0 (B. Efron, R. J. Tibshirani: An Introduction to the Bootstrap, 1993, chapter 16)? Of few things they lie too near
to each other, which `intervals.py` says more of; and few that changed cannot say more than their signs do, so it is
never less than the chance that all of them have one sign.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import exp, fsum, lgamma, log
from statistics import fmean
from typing import Literal

from runtime.statistics.intervals import interval_of, real_share, resampled_means
from runtime.statistics.scale import scale_of

_EQUAL = 1e-12
"""Means that differ by less are the same, but for how their sums are rounded."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """mean: of the values; low, high: between which the difference is, with 95 %."""

    baseline: float
    mean: float
    difference: float
    low: float
    high: float
    p_value: float
    test: Literal["mcnemar", "paired_bootstrap"]


def paired_difference(values: Sequence[float], baseline: Sequence[float]) -> Difference:
    """How the values differ from those of the baseline. Both of the same things, in the same order; one at least."""
    scale = scale_of([*values, *baseline])
    values, baseline = scale.down(values), scale.down(baseline)
    changes = [value - before for value, before in zip(values, baseline, strict=True)]
    means = resampled_means(changes)
    low, high = interval_of(means, len(changes))
    is_binary = {*values, *baseline} <= {0.0, 1.0}
    better, worse = sum(change > 0 for change in changes), sum(change < 0 for change in changes)
    return Difference(
        baseline=scale.up(fmean(baseline)),
        mean=scale.up(fmean(values)),
        difference=scale.up(fmean(changes)),
        low=scale.up(low),
        high=scale.up(high),
        p_value=mcnemar(better, worse) if is_binary else _bootstrapped(changes, means),
        test="mcnemar" if is_binary else "paired_bootstrap",
    )


def mcnemar(better: int, worse: int) -> float:
    """The exact p-value, of both sides, for so many things that became better and worse."""
    count, least = better + worse, min(better, worse)
    one_side = fsum(exp(_log_choices(count, number) - count * log(2)) for number in range(least + 1))
    return min(1.0, 2 * one_side)


def matched(keys: Sequence[Hashable], baseline: Sequence[Hashable]) -> list[tuple[int, int]]:
    """The places of equal keys, in the order of the first; of several that are equal, the first with the first."""
    places: defaultdict[Hashable, deque[int]] = defaultdict(deque)
    for place, key in enumerate(baseline):
        places[key].append(place)
    return [(place, places[key].popleft()) for place, key in enumerate(keys) if places.get(key)]


def _bootstrapped(changes: Sequence[float], means: Sequence[float]) -> float:
    mean, changed = fmean(changes), sum(change != 0 for change in changes)
    if abs(mean) < _EQUAL:
        return 1.0
    far = sum(abs(drawn - mean) >= abs(mean) - _EQUAL for drawn in means)
    found = real_share((far + 1) / (len(means) + 1), len(changes))
    return min(1.0, max(found, 2.0 ** (1 - changed)))


def _log_choices(count: int, number: int) -> float:
    return lgamma(count + 1) - lgamma(number + 1) - lgamma(count - number + 1)
