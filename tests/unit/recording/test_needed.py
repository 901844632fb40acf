"""What a pattern needs is in every text in which it is found: one that is passed over would have found nothing."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.recording.hiding import _lists
from runtime.recording.needed import Sought, needed, small_letters
from runtime.recording.rules import the_rules

EVERY = [
    *_lists().patterns,
    _lists().in_texts,
    the_rules().ids,
    *(sought for sought, _ in the_rules().texts),
]


@pytest.mark.parametrize("sought", EVERY, ids=range(len(EVERY)))
@settings(max_examples=25, suppress_health_check=[HealthCheck.filter_too_much])  # one looks ahead
@given(data=st.data())
def test_whatever_a_pattern_finds_has_what_it_needs(sought: Sought, data: st.DataObject) -> None:
    assert sought.needs
    found = data.draw(st.from_regex(sought.pattern))
    assert sought.may_be_in(small_letters(found)), found


@pytest.mark.parametrize(
    ("pattern", "needs"),
    [
        ("abc", ("abc",)),
        (r"\bsk-[a-z]{3}", ("sk-",)),
        ("(?i)ABC|d(?:ef)+", ("abc", "ef")),
        ("a|", ()),
        ("a*b?", ()),
        ("(?:abc){0,2}", ()),
        (r"\d+\.\d+", (".",)),
        ("(?=abc)x", ("x",)),
        ("(?!abc)...", ()),
        ("(?<!abc)[df]e", ("e",)),
        ("(ab)(?:cd|ef)gh", ("ab",)),
        ("(?x) a b c  # and more", ("abc",)),
        ("é+", ()),
        ("(?>ab)++c", ("ab",)),
    ],
)
def test_what_is_needed(pattern: str, needs: tuple[str, ...]) -> None:
    assert needed(pattern) == needs


def test_letters_that_are_not_ascii_have_more_than_two_cases() -> None:
    sought = Sought.of("(?i)passkey")
    for text in ("paſſkey", "PASSKEY", "a PassKey b"):  # noqa: RUF001  # a long s is an s to `re.IGNORECASE`
        assert sought.pattern.search(text) and sought.may_be_in(small_letters(text))
    assert not sought.may_be_in(small_letters("pass key"))
