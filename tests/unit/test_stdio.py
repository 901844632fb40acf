"""What may be written on a terminal, and what becomes of streams that are not there."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime import stdio
from tests.support.terminal import steering

EVERY_CHARACTER = "".join(map(chr, (*range(0x20000), *range(0xE0000, 0xE0200))))  # between them there are but letters


def test_no_character_that_steers_a_terminal_gets_through() -> None:
    assert len(steering(EVERY_CHARACTER)) > 2000
    assert steering(stdio.one_line(EVERY_CHARACTER)) == set()
    assert steering(stdio.printable(EVERY_CHARACTER)) == set()
    assert not set("\n\t") & set(stdio.one_line(EVERY_CHARACTER))
    assert steering(stdio.json_text(EVERY_CHARACTER)) == set()


def test_all_others_stay_as_they_are() -> None:
    harmless = "".join(sorted(set(EVERY_CHARACTER) - steering(EVERY_CHARACTER) - {"\n", "\t"}))
    assert stdio.one_line(harmless) == stdio.printable(harmless) == stdio.well_formed(harmless) == harmless


@given(st.text(alphabet=st.characters(codec=None)), st.integers(0, 50))
def test_a_text_in_pieces_is_escaped_as_the_whole_is(text: str, cut: int) -> None:
    assert stdio.printable(text[:cut]) + stdio.printable(text[cut:]) == stdio.printable(text)


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_json_says_what_it_did(value: object) -> None:
    assert json.loads(stdio.json_text(value)) == value


def test_what_is_no_text_can_be_written_all_the_same() -> None:
    undecodable = b"caf\xe9".decode(errors="surrogateescape")
    assert stdio.printable(undecodable) == stdio.well_formed(undecodable) == "caf\ufffd"
    assert json.loads(stdio.json_text(undecodable)) == undecodable
    stdio.json_text(undecodable).encode()


def test_nobody_to_tell_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def write(self, text: str) -> None:
            raise OSError(28, "No space left on device")

    for nobody in (None, Full()):
        monkeypatch.setattr("sys.stderr", nobody)
        stdio.print_error("x")
