"""Bytes of tokens to text while they arrive. Knows UTF-8; not tokens, not where an answer ends."""

from __future__ import annotations

import codecs


class Detokenizer:
    """Text from bytes that arrive in pieces cut anywhere, also inside a character.

    All it returns, joined, equals the joined bytes decoded at once with U+FFFD for what is no UTF-8. A character is
    returned when it is whole, and a replacement only when no later byte could make it a character.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, data: bytes) -> str:
        """The text that `data` completes."""
        return self._decoder.decode(data)

    def gives_up(self, data: bytes) -> bool:
        """Whether `data`, pushed next, would make U+FFFD of a character that has begun instead of going on with it."""
        begun = self._decoder.getstate()[0]
        if not begun:
            return False
        probe = codecs.getincrementaldecoder("utf-8")()
        try:
            probe.decode(begun + data[:1])
        except UnicodeDecodeError:
            return True
        return False

    def finish(self) -> str:
        """What is left at the end: U+FFFD if the last character never became whole."""
        return self._decoder.decode(b"", True)
