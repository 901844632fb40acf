"""Terminals that are none, for what is run in this process, and what steers one, by Unicode's own tables."""

from __future__ import annotations

import sys
import unicodedata

import pytest

STEERS = {"Cc", "Zl", "Zp", "Cs"}
"""Controls, separators of lines and of paragraphs, half surrogate pairs."""
TURNS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
"""What embeds, overrides or isolates a direction of writing."""

HOSTILE = "".join(
    [
        "\x1b]0;a title\x07\x1b[2J\x1b[31mred\x1b[0m\x1b[1A",  # a title, a cleared screen, our own colours, a step up
        "\r\x08\x7f\x00\x9b2J\x9d0;t\x9c\x85",  # C0 and C1
        "\u202eexe.\u2066x\u2069\u2028y\u2029z",  # another order, other ends of lines
        "caf\udce9",  # no text at all
    ]
)


def as_terminals(patch: pytest.MonkeyPatch) -> None:
    """Both output streams are terminals, which cannot draw, while `patch` lasts."""
    for stream in (sys.stdout, sys.stderr):
        patch.setattr(stream, "isatty", lambda: True)
    patch.setenv("TERM", "dumb")


def steering(text: str) -> set[str]:
    """The characters of `text` that steer a terminal, other than line feeds and tabs."""
    return {
        character
        for character in set(text) - {"\n", "\t"}
        if unicodedata.category(character) in STEERS or unicodedata.bidirectional(character) in TURNS
    }
