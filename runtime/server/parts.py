"""Cuts a form that arrives into its parts: the head of each, and its contents. Wire format: RFC 7578.

A library reads the heads. It searches all contents for the boundary too, and copies them, so what certainly is contents
passes it by.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import AsyncGenerator, Callable
from typing import TypeAlias, cast
from urllib.parse import unquote

from multipart import MultipartError, MultipartSegment, PushMultipartParser

from runtime.errors import RequestError
from runtime.server.fields import MAX_FIELDS
from runtime.server.incoming import Incoming

_LONGEST_BOUNDARY = 70
"""RFC 2046, 5.1.1. Searching for a longer one could take long."""
_EXTENDED_NAME = re.compile(r";\s*filename\*\s*=\s*\"?(utf-?8|iso-8859-1)'[^']*'([^;\s\"]+)", re.IGNORECASE)
"""RFC 8187, 3.2. RFC 7578 does without, but .NET's clients, OpenAI's among them, send it for a name beyond ASCII, and
beside it one that is not to be read.
"""
Part: TypeAlias = "MultipartSegment | bytes | bytearray | None"
"""The head of a part, some of its contents, or its end."""


async def parts_of(incoming: Incoming, boundary: str) -> AsyncGenerator[Part, None]:
    """The parts of a form, as they arrive. Raises RequestError if it cannot be read, and as `Incoming.chunks` does."""
    parser = PushMultipartParser(boundary, max_segment_count=MAX_FIELDS)
    contents = _Contents(boundary)
    try:
        async for data in incoming.chunks():
            if length := contents.in_front(data):
                yield data[:length]
            if length < len(data) and not parser.closed:  # data after the last boundary has no meaning
                part: Part = None
                for part in parser.parse(data[length:]):
                    if isinstance(part, MultipartSegment):
                        part.filename = _extended_name(part) or part.filename
                    contents.see(part)
                    yield part
                contents.end(data)
        if not parser.closed:
            parser.close()
    except MultipartError as error:
        reason = error.args[0]  # a second one is the exception below it
        raise RequestError(f"The form cannot be read: {reason}", code="invalid_form") from error


def _extended_name(part: MultipartSegment) -> str | None:
    found = _EXTENDED_NAME.search(part.header("Content-Disposition") or "")
    return unquote(found[2], found[1]) if found else None


class _Contents:
    """Recognises what in data is contents of the current part."""

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
        is_long = len(self._end) >= len(self._delimiter)
        is_clear = self._tail(self._end) == len(self._end) and self._delimiter not in self._end
        self._is_next = self._is_within and is_long and is_clear

    def in_front(self, data: bytes) -> int:
        """How many bytes of contents `data` begins with, as far as that can be told without the parser."""
        if not self._is_next:
            return 0
        at = _found(self._delimiter, data)
        return self._tail(data) if at < 0 else at

    def _tail(self, data: bytes) -> int:
        """Where in `data` a delimiter may begin of which the rest is missing; the end of `data` if nowhere."""
        at = data.rfind(b"\r", 1 - len(self._delimiter))
        return at if at >= 0 and self._delimiter.startswith(data[at:]) else len(data)


def _memmem() -> Callable[..., int | None] | None:
    """The C library's search: it takes half of the time of Python's, and a quarter of it for text."""
    try:
        found = ctypes.PyDLL(None).memmem
    except (AttributeError, OSError):
        return None
    found.argtypes = (ctypes.c_char_p, ctypes.c_size_t) * 2
    found.restype = ctypes.c_void_p
    return cast("Callable[..., int | None]", found)


_search = _memmem()


def _found(wanted: bytes, data: bytes) -> int:
    """Where it is for the first time; -1 if nowhere."""
    if _search is not None:
        found = _search(data, len(data), wanted, len(wanted))
        return -1 if found is None else found - _address(data)
    # From the end first, since that is three times as fast for a long `wanted`.
    return -1 if data.rfind(wanted) < 0 else data.index(wanted)


def _address(data: bytes) -> int:
    """Of the first byte."""
    return ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value or 0
