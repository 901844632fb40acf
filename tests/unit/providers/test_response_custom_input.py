"""The input of a custom tool in the arguments of a function: told piece by piece, wherever these are cut."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.providers.responses.builtin.custom_input import ArgumentsRead, arguments_of, input_of


def read(pieces: list[str]) -> tuple[list[str], str]:
    """What each piece told, and all of it."""
    reading = ArgumentsRead()
    told = [reading.add(piece) for piece in pieces]
    return told, "".join(told) + reading.end()


@given(st.text(), st.data())
def test_any_input_is_told_as_it_is_however_it_is_cut(text: str, data: st.DataObject) -> None:
    arguments = data.draw(
        st.sampled_from([arguments_of(text), json.dumps({"input": text}), f' {{ "input" :{json.dumps(text)}}}'])
    )
    pieces, rest = [], arguments
    while rest:
        at = data.draw(st.integers(1, len(rest)))
        pieces.append(rest[:at])
        rest = rest[at:]
    assert read(pieces)[1] == text


def test_pieces_are_told_as_soon_as_they_are_sure() -> None:
    told, _ = read(['{"inp', 'ut": "a', "b\\", "nc\\ud83d", '\\ude00d"', "}"])
    assert told == ["", "a", "b", "\nc", "\U0001f600d", ""]


@pytest.mark.parametrize(
    ("arguments", "whole"),
    [
        ("print(1)", "print(1)"),
        ('{"code": "print(1)"}', '{"code": "print(1)"}'),
        ('{"other": 1, "input": "x"}', "x"),
        ('{"input": 5}', '{"input": 5}'),
        ("", ""),
        ('{"input": "broken \\q', "broken "),
        ('{"input": "half \\ud800 and \\udc00"}', "half ? and ?"),
        ('{"other": 1, "input": "\\ud800"}', "?"),
    ],
)
def test_arguments_that_are_none_as_they_should_be(arguments: str, whole: str) -> None:
    assert read([*arguments])[1] == whole


@pytest.mark.parametrize("arguments", ["", "[]", "5", '{"input": 5}', '{"code": "x"}', "[" * 100_000])
def test_arguments_without_an_input(arguments: str) -> None:
    assert input_of(arguments) is None
