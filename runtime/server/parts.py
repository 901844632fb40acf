"""Cuts a form that arrives into its parts: the head of each, and its contents. Wire format: RFC 7578.

A library reads the heads. It searches all contents for the boundary too, at four times the cost of a search from the
end, so what certainly is contents and nothing else passes it by.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TypeAlias

from multipart import MultipartError, MultipartSegment, PushMultipartParser

from runtime.errors import RequestError
from runtime.server.incoming import Incoming

MAX_FIELDS = 1000
_LONGEST_BOUNDARY = 70
"""RFC 2046, 5.1.1. Searching for a longer one from the end could take long."""
Part: TypeAlias = "MultipartSegment | bytes | bytearray | None"
"""The head of a part, some of its contents, or its end."""


async def parts_of(incoming: Incoming, boundary: str) -> AsyncGenerator[Part, None]:
    """The parts of a form, as they arrive. Raises RequestError if it cannot be read, and as `Incoming.chunks` does."""
    parser = PushMultipartParser(boundary, max_segment_count=MAX_FIELDS)
    contents = _Contents(boundary)
    try:
        async for data in incoming.chunks():
            if contents.has_all(data):
                yield data
            elif not parser.closed:  # data after the last boundary has no meaning
                part: Part = None
                for part in parser.parse(data):
                    contents.see(part)
                    yield part
                contents.end(data)
        if not parser.closed:
            parser.close()
    except MultipartError as error:
        raise RequestError(f"The form cannot be read: {error}", code="invalid_form") from error


class _Contents:
    """Recognises data that is contents of the current part from its first byte to its last."""

    def __init__(self, boundary: str) -> None:
        self._delimiter = b"\r\n--" + boundary.encode()
        self._is_searched = len(boundary) <= _LONGEST_BOUNDARY
        self._is_within = self._is_next = False
        self._end = b""

    def see(self, part: Part) -> None:
        """What the parser has found last. It counts the bytes of a part that says how many it has."""
        if isinstance(part, MultipartSegment):
            self._is_within = self._is_searched and part.header("Content-Length") is None
        elif part is None:
            self._is_within = False

    def end(self, data: bytes) -> None:
        """The parser has all of `data`. It keeps a delimiter of which, or after which, something is missing; that may
        have begun in earlier data.
        """
        self._end = (self._end + data[-len(self._delimiter) - 1 :])[-len(self._delimiter) - 1 :]
        self._is_next = self._is_within and self._ends_within(self._end) and self._delimiter not in self._end

    def has_all(self, data: bytes) -> bool:
        return self._is_next and self._ends_within(data) and data.rfind(self._delimiter) < 0

    def _ends_within(self, data: bytes) -> bool:
        """Whether no delimiter begins at the end of `data`, as far as that alone tells."""
        if len(data) < len(self._delimiter):
            return False
        at = data.rfind(b"\r", 1 - len(self._delimiter))
        return at < 0 or not self._delimiter.startswith(data[at:])
