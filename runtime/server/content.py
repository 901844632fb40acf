"""What a JSON body says of itself: how it is packed, and how its text is written.

Clients may compress what they send (RFC 9110, 8.4); JSON is UTF-8 (RFC 8259, 8.1). What we cannot read is refused with
415 and the words that help, since a parser's complaint about its first byte does not.
"""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json

from runtime.errors import RequestError, TooLarge, UnsupportedMedia
from runtime.server.errors import quoted

_CHARSET = re.compile(rb"charset\s*=\s*[\"']?([^\"';\s]+)", re.IGNORECASE)
_UTF8 = (b"utf-8", b"utf8", b"us-ascii", b"ascii")
_MARK, _OTHER_MARKS = b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff")
"""Byte order marks of UTF-8, which is passed over, and of UTF-16 and UTF-32."""
_GZIP, _ZLIB, _BARE = 31, 15, -15
"""zlib's `wbits` for each format."""


def utf8(raw: bytes, kind: bytes) -> bytes:
    """The text of a body of content type `kind`. Raises UnsupportedMedia where it is written otherwise."""
    found = _CHARSET.search(kind) if b"charset" in kind.lower() else None
    if found and found[1].lower() not in _UTF8 and not raw.isascii():
        charset = quoted(found[1].decode("latin-1"))
        raise UnsupportedMedia(f"The body is said to be in `{charset}`, and JSON is UTF-8")
    if b"\x00" in raw[:4] or raw.startswith(_OTHER_MARKS):
        raise UnsupportedMedia("The body is in UTF-16 or UTF-32, and JSON is UTF-8")
    return raw.removeprefix(_MARK)


def json_object(raw: bytes, kind: bytes) -> dict[str, Any]:
    """The object in a body. kind: its content type, which only helps to say what is wrong: `curl -d` calls all JSON a
    form. Raises RequestError for anything else.
    """
    try:
        value = from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        shown = quoted(kind.decode("latin-1"))
        hint = f"it came as `{shown}`; only JSON is read here" if kind and b"json" not in kind.lower() else None
        raise RequestError(f"The body is no JSON: {error}", hint=hint, code="invalid_json") from error
    if not isinstance(value, dict):
        raise RequestError("The body is JSON, but no object", code="invalid_json")
    return value


def as_it_is(headers: Mapping[bytes, bytes]) -> None:
    """Raises UnsupportedMedia for a packed body where files come in: they are kept byte by byte as they arrive."""
    coding = headers.get(b"content-encoding", b"").decode("latin-1").strip().lower()
    if coding not in ("", "identity"):
        raise UnsupportedMedia(
            f"`content-encoding: {quoted(coding)}` cannot be read here",
            hint="send the body as it is",
            headers={"accept-encoding": "identity"},
        )


async def unpacked(raw: bytes, coding: bytes, *, limit: int) -> bytes:
    """A body without its content coding. limit: the most bytes that may come out.

    Raises UnsupportedMedia for another coding than gzip and deflate, RequestError for what is broken, TooLarge.
    """
    name = coding.decode("latin-1").strip().lower()
    if name == "identity":
        return raw
    if name not in ("gzip", "x-gzip", "deflate"):
        raise UnsupportedMedia(
            f"`content-encoding: {quoted(name)}` cannot be read here",
            hint="send the body as it is, or with gzip or deflate",
            headers={"accept-encoding": "gzip, deflate"},
        )
    wbits = _GZIP if name != "deflate" else _ZLIB if raw[0] & 15 == 8 else _BARE  # some send deflate without its frame
    try:
        return await asyncio.to_thread(_inflated, raw, wbits, limit)  # the longest takes a tenth of a second
    except zlib.error as error:
        raise RequestError(f"The body is not what its `content-encoding: {name}` says: {error}") from error


def _inflated(raw: bytes, wbits: int, limit: int) -> bytes:
    """Raises zlib.error for what is broken, TooLarge as soon as it is more than `limit` bytes."""
    unpacking = zlib.decompressobj(wbits)
    text = unpacking.decompress(raw, limit + 1)
    if len(text) > limit:
        raise TooLarge(f"The request body is larger than {limit} bytes when unpacked")
    if not unpacking.eof:
        raise zlib.error("it breaks off")
    if unpacking.unused_data:  # further members of gzip, too: a million empty ones would take for ever
        raise zlib.error("something follows its end")
    return text
