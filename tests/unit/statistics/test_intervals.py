"""How sure one can be of a mean: against published figures, against draws, and by how often the mean is inside."""

from __future__ import annotations

import random
from collections.abc import Callable
from statistics import fmean
from time import process_time

import pytest

from runtime.statistics.intervals import interval_of, mean_interval, resampled_means


@pytest.mark.parametrize(
    ("right", "count", "low", "high"),
    [
        # R. G. Newcombe: Two-sided confidence intervals for the single proportion, Statistics in Medicine 17, 1998,
        # table I, method 3, as statsmodels' `proportion_confint(method="wilson")` computes them
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_shares_have_wilson_s_interval(right: int, count: int, low: float, high: float) -> None:
    values = [1.0] * right + [0.0] * (count - right)
    assert mean_interval(values) == pytest.approx((low, high), abs=5e-5)
    assert mean_interval([1 - value for value in values]) == pytest.approx((1 - high, 1 - low), abs=5e-5)


def test_all_right_is_not_sure_to_stay_so() -> None:
    low, high = mean_interval([1.0] * 10)
    assert low == pytest.approx(0.7225, abs=1e-4) and high == 1.0


@pytest.mark.parametrize("is_weighted", [False, True])
def test_what_is_computed_for_many_is_what_would_be_drawn(monkeypatch: pytest.MonkeyPatch, is_weighted: bool) -> None:
    chance = random.Random(1)
    values = [chance.expovariate(1) ** 2 for _ in range(800)]
    weights = [chance.random() for _ in values] if is_weighted else None
    drawn = resampled_means(values, weights)
    monkeypatch.setattr("runtime.statistics.intervals._MOST_DRAWN", 100)
    computed = resampled_means(values, weights)
    width = drawn[-50] - drawn[50]
    for place in (50, 200, 500, 1000, 1500, 1800, 1950):
        assert abs(computed[place] - drawn[place]) < 0.05 * width


def test_equal_values_have_no_width() -> None:
    assert mean_interval([0.7] * 5) == mean_interval([0.7] * 5000) == pytest.approx((0.7, 0.7))


def test_a_hundred_thousand_take_no_time() -> None:
    chance = random.Random(1)
    values = [chance.gauss(3, 1) for _ in range(100_000)]
    began = process_time()
    low, high = mean_interval(values)
    assert process_time() - began < 2.0
    assert low < fmean(values) < high and high - low == pytest.approx(2 * 1.96 / 100_000**0.5, rel=0.02)


@pytest.mark.parametrize(
    ("draw", "mean", "count", "least"),
    [
        (lambda chance: float(chance.random() < 0.9), 0.9, 20, 0.93),
        (lambda chance: float(chance.random() < 0.3), 0.3, 50, 0.92),
        (lambda chance: chance.gauss(1, 2), 1.0, 20, 0.89),
        (lambda chance: float(chance.choice((1, 2, 2, 3, 5))), 2.6, 20, 0.89),
        (lambda chance: chance.expovariate(1), 1.0, 2500, 0.91),
    ],
)
def test_the_mean_is_inside_about_as_often_as_is_said(
    draw: Callable[[random.Random], float], mean: float, count: int, least: float
) -> None:
    chance, rounds, inside = random.Random(2), 200, 0
    for _ in range(rounds):
        low, high = mean_interval([draw(chance) for _ in range(count)])
        inside += low <= mean <= high
    assert least <= inside / rounds <= 0.995


def test_an_interval_is_the_middle_part() -> None:
    assert interval_of([*range(1000)], 10**9, confidence=0.4) == (300, 699)
    low, high = interval_of([*range(1000)], 3, confidence=0.5)
    assert low < 250 and high > 750, "of few values it is wider"
    assert interval_of([4.0], 1) == (4.0, 4.0)
