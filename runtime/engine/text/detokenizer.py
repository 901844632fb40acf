"""Bytes of tokens to text while they arrive. Knows UTF-8 (RFC 3629); not tokens, not where an answer ends."""

from __future__ import annotations

import codecs


class Detokenizer:
    """Text from bytes that arrive in pieces, cut anywhere, also inside a character.

    Its results, joined, equal the joined bytes decoded at once, with U+FFFD for bytes that are not UTF-8. A character
    is returned once it is complete, and U+FFFD only once no later byte could complete it.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, data: bytes) -> str:
        """The text that `data` completes."""
        return self._decoder.decode(data)

    def breaks_off(self, data: bytes) -> bool:
        """Whether pushing `data` next would turn an incomplete character into U+FFFD instead of continuing it."""
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
        """The rest at the end: U+FFFD if the last character is incomplete."""
        return self._decoder.decode(b"", True)
