"""The distance of two texts, against the table of Wagner and Fischer (1974)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runtime.providers.scoring._edit_distance import edit_distance

texts = st.text(alphabet="abc\u00e4\U0001f600", max_size=20)


def by_table(one: str, other: str) -> int:
    above = list(range(len(other) + 1))
    for row, character in enumerate(one, start=1):
        line = [row]
        for column, another in enumerate(other, start=1):
            line.append(min(line[-1] + 1, above[column] + 1, above[column - 1] + (character != another)))
        above = line
    return above[-1]


@given(texts, texts)
def test_it_is_what_the_table_says(one: str, other: str) -> None:
    assert edit_distance(one, other) == by_table(one, other)


def test_texts_longer_than_a_word_of_the_machine() -> None:
    assert edit_distance("ab" * 500, "ab" * 499 + "b") == 1
    assert edit_distance("kitten" * 40, "sitting" * 40) == by_table("kitten" * 40, "sitting" * 40)
