"""Student's t distribution, against published tables and its own inverse."""

from __future__ import annotations

import pytest

from runtime.statistics.student import beyond, quantile


@pytest.mark.parametrize(
    ("freedom", "outside", "distance"),
    [
        (1, 0.05, 12.7062),
        (2, 0.05, 4.3027),
        (4, 0.01, 4.6041),
        (9, 0.05, 2.2622),
        (9, 0.5, 0.7027),
        (29, 0.001, 3.6594),
        (120, 0.05, 1.9799),
        (10**6, 0.05, 1.95997),
    ],
)
def test_it_is_that_of_the_tables(freedom: float, outside: float, distance: float) -> None:
    assert quantile(outside, freedom) == pytest.approx(distance, rel=5e-5)
    assert beyond(distance, freedom) == pytest.approx(outside, rel=5e-4)


@pytest.mark.parametrize("freedom", [0.5, 1, 3, 40, 5000])
@pytest.mark.parametrize("outside", [1e-6, 0.01, 0.3, 0.999])
def test_one_is_the_inverse_of_the_other(freedom: float, outside: float) -> None:
    assert beyond(quantile(outside, freedom), freedom) == pytest.approx(outside, rel=1e-6)


def test_everything_is_at_least_at_0() -> None:
    assert beyond(0.0, 3) == 1.0
    assert beyond(1e200, 3) < 1e-100
