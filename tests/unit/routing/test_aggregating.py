"""What is said of all scores together."""

from __future__ import annotations

import math
from typing import Any

import pytest

from runtime.errors import RequestError
from runtime.routing.aggregating import aggregated

HUGE = 1e308


def of(*scores: Any, names: tuple[str, ...]) -> Any:
    return aggregated([{"score": score} for score in scores], [{} for _ in scores], names)


@pytest.mark.parametrize("name", ["average", "weighted_average", "median"])
@pytest.mark.parametrize("scores", [(HUGE, HUGE), (HUGE, HUGE, -HUGE), (HUGE,) * 3000 + (0.0,)])
def test_scores_at_the_end_of_what_a_float_can_be_have_a_mean(name: str, scores: tuple[float, ...]) -> None:
    found = of(*scores, names=(name,))[name]
    assert -HUGE <= found[name] <= HUGE
    assert all(math.isfinite(end) for end in found.get("confidence_interval", ()))


def test_a_huge_mean_is_exact() -> None:
    assert of(HUGE, HUGE / 2, names=("average",))["average"]["average"] == 0.75 * HUGE
    assert of(HUGE, HUGE, names=("median",))["median"] == {"median": HUGE}


def test_a_number_is_one_category_however_it_is_written() -> None:
    found = of(1, 1.0, "1", 1e22, 0.5, True, -0.0, names=("categorical_count",))["categorical_count"]
    counted = found["categorical_count"]
    assert counted == {"1": 3, "10000000000000000000000": 1, "0.5": 1, "True": 1, "0": 1}


def test_a_weight_that_a_function_says_comes_before_that_of_the_row() -> None:
    scored = [{"score": 1.0, "weight": 3}, {"score": 0.0}, {"score": None, "error": "none", "weight": 9}]
    found = aggregated(scored, [{"weight": 8}, {"weight": 1}, {}], ["weighted_average"])
    assert found["weighted_average"]["weighted_average"] == 0.75 and found["errors"] == 1


@pytest.mark.parametrize("weight", [-1, 1e308, 10**400, float("nan"), "1"])
def test_a_weight_that_cannot_be_computed_with_is_refused(weight: Any) -> None:
    with pytest.raises(RequestError, match="no number from 0 to"):
        aggregated([{"score": 1.0}, {"score": 0.0}], [{"weight": weight}, {}], ["weighted_average"])
