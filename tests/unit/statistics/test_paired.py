"""Whether a difference is real: against exact figures, and by how often chance is taken for more than chance."""

from __future__ import annotations

import random
from fractions import Fraction
from math import comb

import pytest

from runtime.statistics.paired import matched, mcnemar, paired_difference


@pytest.mark.parametrize(
    ("better", "worse", "p_value"),
    [
        (86, 150, 3.716e-05),  # Agresti's approvals, as `mcnemar.exact` of R's exact2x2 documents it
        (2, 12, 212 / 2**14),
        (0, 5, 2 / 2**5),
        (40, 40, 1.0),
        (0, 0, 1.0),
    ],
)
def test_mcnemar_is_exact(better: int, worse: int, p_value: float) -> None:
    assert mcnemar(better, worse) == mcnemar(worse, better) == pytest.approx(p_value, rel=1e-4)


def test_mcnemar_is_exact_for_many() -> None:
    better, worse = 450, 540
    exact = 2 * sum(Fraction(comb(better + worse, count), 2 ** (better + worse)) for count in range(better + 1))
    assert mcnemar(better, worse) == pytest.approx(float(exact), rel=1e-9)


def test_what_is_0_or_1_is_tested_by_mcnemar() -> None:
    found = paired_difference([1.0] * 12 + [0.0] * 2 + [1.0] * 6, [0.0] * 12 + [1.0] * 2 + [1.0] * 6)
    assert (found.test, found.p_value) == ("mcnemar", pytest.approx(212 / 2**14))
    assert (found.baseline, found.mean, found.difference) == (0.4, 0.9, 0.5)
    assert 0 < found.low < 0.5 < found.high < 1


def test_a_difference_that_is_plain_is_found() -> None:
    chance = random.Random(1)
    baseline = [chance.gauss(5, 1) for _ in range(100)]
    found = paired_difference([value - 0.5 + chance.gauss(0, 0.5) for value in baseline], baseline)
    assert (found.test, found.p_value < 0.001) == ("paired_bootstrap", True)
    assert found.low < -0.5 < found.high < 0


def test_the_same_is_no_difference() -> None:
    found = paired_difference([1.5, 2.5], [1.5, 2.5])
    assert (found.difference, found.low, found.high, found.p_value) == (0, 0, 0, 1)


def test_few_things_prove_nothing() -> None:
    """Whatever is drawn of two equal differences is their mean, which says nothing of others."""
    assert paired_difference([3.0, 3.0], [1.0, 1.0]).p_value == 0.5
    assert paired_difference([3.0] * 5, [1.0] * 5).p_value == 2 / 2**5


@pytest.mark.parametrize("count", [5, 10, 20])
def test_chance_is_rarely_taken_for_more(count: int) -> None:
    chance, rounds = random.Random(count), 200
    draw = lambda: [chance.gauss(0, 1) for _ in range(count)]  # noqa: E731
    wrong = sum(paired_difference(draw(), draw()).p_value < 0.05 for _ in range(rounds))
    assert wrong / rounds < 0.08


def test_equal_things_are_matched_once_each_and_in_order() -> None:
    assert matched("abcab", "babbx") == [(0, 1), (1, 0), (4, 2)]
    assert matched("", "a") == matched("a", "") == []
