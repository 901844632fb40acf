"""What it costs to look for halves of characters; what becomes of them is in `reports/test_vendor_characters.py`."""

from __future__ import annotations

import pytest

from runtime.http.half_characters import Halves, with_whole_characters

CODE = b'{"a":"\\ud83d\\ude00' + b"\\n\\u00e9\\uD83D\\uDE00" * 1000 + b'"}'


def test_whole_characters_are_found_without_a_look_at_each_escape(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a long answer with code and one such character would delay all others."""
    monkeypatch.setattr(Halves, "_whole", None)
    assert with_whole_characters(CODE) == CODE


@pytest.mark.parametrize("half", [b"\\ud83d", b"\\ude00", b"\\uD83D", b"\\uDE00"])
def test_one_half_among_them_is_found(half: bytes) -> None:
    given = CODE.replace(b'"}', b"." + half + b'."}')
    assert with_whole_characters(given) == given.replace(b"." + half, b".\\ufffd")
