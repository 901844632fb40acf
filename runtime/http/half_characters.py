"""Escapes in a server's JSON that are half a character, which no reader of JSON takes for text.

In JSON, a character beyond the first 65,536 is escaped as two code units, such as `\\ud83d\\ude00`. Servers that cut
texts by code units send one half at the end of an event and the other at the beginning of the next one, or lose one.
"""

from __future__ import annotations

import re

_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|u(?P<first>[dD][89abAB][0-9a-fA-F]{2})|u(?P<second>[dD][c-fC-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_HALF = re.compile(
    rb"\\u(?:[dD][89abAB]..(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..\\u)[dD][c-fC-F])",
    re.DOTALL,
)
"""Where no backslash is escaped before a `u`: finds a half among whole characters without a look at each escape."""
_LOST = rb"\ufffd"


def with_whole_characters(data: bytes) -> bytes:
    """JSON, in which what is half a character is the sign for a lost one."""
    return Halves(joins=False).joined(data)


class Halves:
    """Puts the halves together that end one text and begin the next. joins: whether there are more texts to come."""

    __slots__ = ("_first", "_joins")

    def __init__(self, *, joins: bool = True) -> None:
        self._joins = joins
        self._first = b""  # the half that ended the last text

    def joined(self, data: bytes) -> bytes:
        """The next JSON. What is half a character still is the sign for a lost one."""
        # These are rare, and searching for them is far cheaper than reading each escape.
        if not (b"\\ud" in data or b"\\uD" in data):
            return data
        if b"\\\\u" not in data and _HALF.search(data) is None:
            return data  # whole characters: 45,000 escapes of code would take 20 ms, in which nothing else is served
        return _ESCAPE.sub(self._whole, data)

    def _whole(self, match: re.Match[bytes]) -> bytes:
        data, begin, end = match.string, match.start(), match.end()
        if match["first"] is not None:
            if not self._joins or data[end : end + 1] != b'"':
                return _LOST
            self._first = match[0]
            return b""
        if match["second"] is not None:
            first, self._first = self._first, b""
            return first + match[0] if first and data[begin - 1 : begin] == b'"' else _LOST
        return match[0]
