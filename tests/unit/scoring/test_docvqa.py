"""The similarity of answers that were read of a page."""

from __future__ import annotations

import pytest

from runtime.providers.scoring._not_scored import NotScored
from runtime.providers.scoring.basic.docvqa import similarity


@pytest.mark.parametrize(
    "given, expected, score",
    [
        ("Room B12", "room b12", 1.0),
        ("  Main   Street ", "main street", 1.0),
        ("Room B1", "room b12", 1 - 1 / 8),  # one character of eight
        ("kitten", "sitting", 1 - 3 / 7),  # just more like than not
        ("abcd", "abxy", 0.5),  # exactly the threshold counts
        ("abc", "axy", 0.0),
        ("Rome", "main street", 0.0),
        ("", "a", 0.0),
        ("", "", 1.0),
    ],
)
def test_it_is_one_less_the_share_of_what_differs(given: str, expected: str, score: float) -> None:
    assert similarity(given, [expected], 0.5) == pytest.approx(score)


def test_less_than_the_threshold_is_nothing() -> None:
    assert similarity("abc", ["axy"], 0.0) == pytest.approx(1 / 3)
    assert similarity("room b1", ["room b12"], 0.9) == 0.0


def test_a_long_text_is_not_compared_with_a_short_one() -> None:
    assert similarity("a" * 10_000_000, ["a"] * 1000, 0.5) == 0.0


@pytest.mark.parametrize(("given", "expected"), [("ab" * 30_000, ["ba" * 30_000]), ("ab" * 500, ["ba" * 500] * 101)])
def test_texts_that_would_take_seconds_are_not_compared(given: str, expected: list[str]) -> None:
    with pytest.raises(NotScored, match="too long to be compared"):
        similarity(given, expected, 0.5)
    assert similarity(given, [*expected, given.upper()], 0.5) == 1.0
    assert similarity("ab" * 500, ["ba" * 500] * 99, 0.5) == pytest.approx(1 - 2 / 1000)
