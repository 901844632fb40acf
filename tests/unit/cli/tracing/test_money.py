"""Amounts of money, most of them parts of a cent."""

from __future__ import annotations

import pytest

from llama_cli.tracing.money import cost_of, usd
from tests.unit.cli.tracing._spans import call, request


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        (0, "$0.00"), (0.5, "$0.50"), (0.075, "$0.075"), (0.00123, "$0.00123"), (0.0012345, "$0.00123"),
        (0.000000275, "$0.000000275"), (1e-12, "less than $0.000000001"), (0.9999, "$1.00"), (0.1, "$0.10"),
        (3, "$3.00"), (1234.5, "$1,234.50"), (0.01, "$0.01"),
    ],
)  # fmt: skip
def test_an_amount_has_cents_and_below_a_dollar_three_digits(amount: float, written: str) -> None:
    assert usd(amount) == written


def test_together_they_cost_what_is_known_of_them() -> None:
    assert cost_of([request(), call()]) is None
    assert cost_of([request(), call(cost=0.1), call(), call(cost=0.2)]) == 0.3
    assert cost_of([call(cost=0)]) == 0
