"""Numbers near the end of what a float can be."""

from __future__ import annotations

import math
import sys

import pytest

from runtime.statistics.intervals import mean_interval
from runtime.statistics.paired import paired_difference
from runtime.statistics.scale import scale_of

LARGEST = sys.float_info.max


@pytest.mark.parametrize("values", [[LARGEST, LARGEST / 2], [-LARGEST, 1.0], [1e300, 3e300, -1e299]])
def test_what_is_scaled_down_and_up_is_the_same(values: list[float]) -> None:
    scale = scale_of(values)
    assert all(abs(value) <= 2 for value in scale.down(values))
    assert [scale.up(value) for value in scale.down(values)] == values


@pytest.mark.parametrize("values", [[], [0.0], [1e-300, 1e70, -5.5]])
def test_usual_numbers_are_left_alone(values: list[float]) -> None:
    scale = scale_of(values)
    assert (scale.divisor, scale.down(values)) == (1.0, values)


def test_more_than_a_float_is_the_largest_one() -> None:
    assert scale_of([LARGEST]).up(-4.0) == -LARGEST


@pytest.mark.parametrize("count", [2, 3000])
def test_an_interval_of_huge_numbers_is_one_of_floats(count: int) -> None:
    huge = [LARGEST if place % 2 else -LARGEST for place in range(count)]
    usual = mean_interval([value / LARGEST for value in huge], [1e100] * count)
    for low, high in (mean_interval(huge), mean_interval(huge, [1e100] * count)):
        assert math.isfinite(low) and math.isfinite(high) and low < high
    assert low / LARGEST == pytest.approx(usual[0]) and high / LARGEST == pytest.approx(usual[1])


def test_huge_scores_are_compared() -> None:
    huge = 2.0**1023
    found = paired_difference([huge] * 8, [-huge] * 8)
    assert (found.mean, found.baseline, found.difference) == (huge, -huge, LARGEST)
    assert (found.low, found.high) == (LARGEST, LARGEST) and found.p_value < 0.05
