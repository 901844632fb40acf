"""How several rankings of the same chunks become one.

Each ranking lists chunks with their scores, best first. The fused scores are in [0, 1], where 1 is what is first
everywhere. Reciprocal rank fusion: Cormack, Clarke and Buettcher, SIGIR 2009.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

Ranking = Sequence[tuple[int, float]]
"""Chunk numbers with scores, best first."""


def by_ranks(rankings: Sequence[Ranking], weights: Sequence[float], *, impact_factor: float) -> list[tuple[int, float]]:
    """Reciprocal rank fusion: the sum of `weight / (impact_factor + rank)`, ranks from 1."""
    fused: dict[int, float] = defaultdict(float)
    for ranking, weight in zip(rankings, weights, strict=True):
        for rank, (number, _) in enumerate(ranking, start=1):
            fused[number] += weight / (impact_factor + rank)
    most = sum(weights) / (impact_factor + 1)
    return _sorted({number: score / most if most else 0.0 for number, score in fused.items()})


def by_scores(rankings: Sequence[Ranking], weights: Sequence[float], *, stretch: bool) -> list[tuple[int, float]]:
    """The weighted sum of the scores, which are in [0, 1]. stretch: first, let those of each ranking go from 0 to 1."""
    fused: dict[int, float] = defaultdict(float)
    for ranking, weight in zip(rankings, weights, strict=True):
        for number, score in stretched(ranking) if stretch else ranking:
            fused[number] += weight * score
    total = sum(weights)
    return _sorted({number: score / total if total else 0.0 for number, score in fused.items()})


def stretched(ranking: Ranking) -> list[tuple[int, float]]:
    """The scores from 0 for the last one to 1 for the first; all 1 if they are equal."""
    if not ranking:
        return []
    highest, lowest = ranking[0][1], ranking[-1][1]
    span = highest - lowest
    return [(number, (score - lowest) / span if span else 1.0) for number, score in ranking]


def in_unit_by_scale(scores: Sequence[float]) -> list[float]:
    """A reranking model's scores, from 0 to 1 in the same order. Those of some models are so; others are logits."""
    if all(0 <= score <= 1 for score in scores):
        return list(scores)
    return [1 / (1 + math.exp(-min(max(score, -500.0), 500.0))) for score in scores]


def _sorted(scores: Mapping[int, float]) -> list[tuple[int, float]]:
    return sorted(scores.items(), key=lambda one: (-one[1], one[0]))
