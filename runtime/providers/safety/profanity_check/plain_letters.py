"""Text as whoever looks at it reads it: without what is not seen, and with letters in the place of their styled forms.

Otherwise a soft hyphen or a zero-width space within a word, or letters from another block of Unicode that look the same
(full-width, mathematical bold), would keep the classifier from a word that every reader sees. Letters of other scripts
that look alike stay what they are. Unicode Standard Annex 15, https://www.unicode.org/reports/tr15/
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

_LONGEST = 4
"""A character that stands for more letters is a phrase, and no form of a letter."""


def plain_letters(text: str) -> str:
    """At most `_LONGEST` times as long."""
    return text if text.isascii() else text.translate(_Plain())


class _Plain:
    """Maps the number of a character to what stands for it, as `str.translate` asks."""

    def __getitem__(self, code: int) -> str:
        return _plain(code)


@lru_cache(maxsize=4096)
def _plain(code: int) -> str:
    character = chr(code)
    if unicodedata.category(character) == "Cf":  # format characters, which have no look of their own
        return ""
    compatible = unicodedata.normalize("NFKC", character)
    return compatible if len(compatible) <= _LONGEST else character
