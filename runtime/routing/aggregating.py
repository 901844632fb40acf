"""What is said of all scores of a function together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, median
from typing import Any

from runtime.apis.datasets.protocol import Row
from runtime.apis.scoring.protocol import SCORE
from runtime.errors import RequestError
from runtime.statistics.intervals import mean_interval
from runtime.statistics.scale import scale_of

Scored = Sequence[tuple[Any, Row]]
"""Each score with what has its weight: what is said of the row, else the row. Rows without a score are left out."""
_WEIGHT = "weight"
_MOST_WEIGHT = 1e100
"""Sums of such weights, and of scores times them, are still numbers: scores are scaled."""
_MOST_CATEGORIES = 1000
_OF_ANY = "categorical_count"
_NO_NUMBERS = {"string": "texts", "object": "objects"}
"""Types of scores of which only that can be told, as messages call them."""


def aggregated(scored: Sequence[Row], rows: Sequence[Row], names: Sequence[str]) -> dict[str, Any]:
    """What each aggregation says. scored: what the function says of each row. names: of the aggregations; where there
    are none, a mean of numbers or a count of words.

    Raises RequestError where one cannot be made of such scores.
    """
    pairs = [
        (one[SCORE], one if _WEIGHT in one else row)
        for one, row in zip(scored, rows, strict=True)
        if one.get(SCORE) is not None
    ]
    found: dict[str, Any] = {}
    if pairs:
        chosen = names or (["average"] if all(_is_number(score) for score, _ in pairs) else [_OF_ANY])
        found = {name: _AGGREGATIONS[name](pairs) for name in dict.fromkeys(chosen)}
    if errors := len(scored) - len(pairs):
        found["errors"] = errors
    return found


def check_aggregations(names: Sequence[str], function: str, returns: str | None) -> None:
    """Raises RequestError for an aggregation of numbers where a function gives none. returns: the type of its scores,
    None where nobody knows it.
    """
    for name in names:
        if name != _OF_ANY and returns in _NO_NUMBERS:
            raise _needs_numbers(name, f"`{function}` gives {_NO_NUMBERS[returns]}")


def _average(scored: Scored) -> dict[str, Any]:
    values = _numbers(scored, "average")
    scale = scale_of(values)
    return {"average": scale.up(fmean(scale.down(values))), "confidence_interval": list(mean_interval(values))}


def _weighted_average(scored: Scored) -> dict[str, Any]:
    values = _numbers(scored, "weighted_average")
    weights = [_weight(row) for _, row in scored]
    if not sum(weights):
        raise RequestError(
            "`weighted_average` needs a row whose `weight` is more than 0", param="aggregation_functions"
        )
    scale = scale_of(values)
    mean = sum(value * weight for value, weight in zip(scale.down(values), weights, strict=True)) / sum(weights)
    return {"weighted_average": scale.up(mean), "confidence_interval": list(mean_interval(values, weights))}


def _median(scored: Scored) -> dict[str, Any]:
    values = _numbers(scored, "median")
    scale = scale_of(values)
    return {"median": scale.up(median(scale.down(values)))}


def _categorical_count(scored: Scored) -> dict[str, Any]:
    counted = Counter(_category(score) for score, _ in scored)
    return {_OF_ANY: dict(counted.most_common(_MOST_CATEGORIES))}


def _accuracy(scored: Scored) -> dict[str, Any]:
    right = [float(value == 1) for value in _numbers(scored, "accuracy")]
    return {
        "accuracy": fmean(right),
        "num_correct": int(sum(right)),
        "num_total": len(right),
        "confidence_interval": list(mean_interval(right)),
    }


_AGGREGATIONS: Mapping[str, Callable[[Scored], dict[str, Any]]] = {
    "average": _average,
    "weighted_average": _weighted_average,
    "median": _median,
    _OF_ANY: _categorical_count,
    "accuracy": _accuracy,
}


def _category(score: Any) -> str:
    """A score as it is counted: 1 and 1.0 are one."""
    return str(int(score)) if isinstance(score, float) and score.is_integer() else str(score)


def _numbers(scored: Scored, aggregation: str) -> list[float]:
    for score, _ in scored:
        if not _is_number(score):
            raise _needs_numbers(aggregation, f"one is `{str(score)[:100]}`")
    return [float(score) for score, _ in scored]


def _needs_numbers(aggregation: str, but: str) -> RequestError:
    return RequestError(
        f"`{aggregation}` needs scores that are numbers, and {but}",
        hint=f"ask for `{_OF_ANY}`",
        param="aggregation_functions",
    )


def _is_number(score: Any) -> bool:
    return isinstance(score, int | float)


def _weight(row: Row) -> float:
    weight = row.get(_WEIGHT, 1)
    if not _is_number(weight) or not 0 <= weight <= _MOST_WEIGHT:
        raise RequestError(
            f"A `weight` is `{str(weight)[:100]}`, which is no number from 0 to {_MOST_WEIGHT:g}",
            param="aggregation_functions",
        )
    return float(weight)
