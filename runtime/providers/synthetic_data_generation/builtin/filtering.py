"""Which rows are kept: by their scores, or by chance. Pure; what each filter means stands in the request's field."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from runtime.apis.synthetic_data_generation.request import FilteringFunction

BY_SCORE: frozenset[FilteringFunction] = frozenset({"top_k", "top_p", "top_k_top_p", "sigmoid"})
"""Filters that need scores."""


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """top_k: how many, None for half of them. top_p: which share of the softmax. chance: what is drawn with."""

    top_k: int | None
    top_p: float
    chance: Random


def kept_by(filtering: FilteringFunction, scores: Sequence[float], bounds: Bounds) -> list[int]:
    """The places of those that are kept, in order. scores: of each row; by filters that need none they are not read."""
    return sorted(_FILTERS[filtering](scores, bounds))


def _random(scores: Sequence[float], bounds: Bounds) -> list[int]:
    return bounds.chance.sample(range(len(scores)), _half(scores))


def _top_k(scores: Sequence[float], bounds: Bounds) -> list[int]:
    return _best(scores)[: _half(scores) if bounds.top_k is None else bounds.top_k]


def _top_p(scores: Sequence[float], bounds: Bounds) -> list[int]:
    return _reaching(bounds.top_p, _best(scores), scores)


def _top_k_top_p(scores: Sequence[float], bounds: Bounds) -> list[int]:
    return _reaching(bounds.top_p, _top_k(scores, bounds), scores)


def _sigmoid(scores: Sequence[float], bounds: Bounds) -> list[int]:
    return [place for place, score in enumerate(scores) if bounds.chance.random() < _probability(score)]


_FILTERS: Mapping[FilteringFunction, Callable[[Sequence[float], Bounds], list[int]]] = {
    "none": lambda scores, _: list(range(len(scores))),
    "random": _random,
    "top_k": _top_k,
    "top_p": _top_p,
    "top_k_top_p": _top_k_top_p,
    "sigmoid": _sigmoid,
}


def _half(scores: Sequence[float]) -> int:
    return math.ceil(len(scores) / 2)


def _best(scores: Sequence[float]) -> list[int]:
    """The best first; of equal ones the earlier."""
    return sorted(range(len(scores)), key=lambda place: -scores[place])


def _reaching(share: float, best: Sequence[int], scores: Sequence[float]) -> list[int]:
    """The fewest of the best whose share of the softmax of all these is at least `share`."""
    if not best:
        return []
    highest = scores[best[0]]
    weights = [math.exp(scores[place] - highest) for place in best]
    wanted, reached, kept = share * math.fsum(weights), 0.0, 0
    while kept < len(best) and reached < wanted:
        reached += weights[kept]
        kept += 1
    return list(best[:kept])


def _probability(score: float) -> float:
    """1 / (1 + exp(-score)), for scores of any size."""
    if score >= 0:
        return 1 / (1 + math.exp(-score))
    return math.exp(score) / (1 + math.exp(score))
