"""The compression and character encoding of JSON bodies.

Clients may compress what they send (RFC 9110, 8.4); JSON is UTF-8 (RFC 8259, 8.1). A body that we cannot read is
refused with 415 and a helpful message, since a JSON parser would only complain about its first byte.
"""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import Mapping

from runtime.errors import RequestError, TooLarge, UnsupportedMedia
from runtime.invalid.vocabulary import quoted

_CHARSET = re.compile(rb"charset\s*=\s*[\"']?([^\"';\s]+)", re.IGNORECASE)
_UTF8 = (b"utf-8", b"utf8", b"us-ascii", b"ascii")
_MARK, _OTHER_MARKS = b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff")
"""Byte order marks: that of UTF-8, which is removed, and those of UTF-16 and UTF-32."""
_GZIP, _ZLIB, _BARE = 31, 15, -15
"""zlib's `wbits` for each format."""


def utf8(raw: bytes, kind: bytes) -> bytes:
    """A UTF-8 body without its byte order mark. kind: its content type. Raises UnsupportedMedia for other encodings."""
    found = _CHARSET.search(kind) if b"charset" in kind.lower() else None
    if found and found[1].lower() not in _UTF8 and not raw.isascii():
        charset = quoted(found[1].decode("latin-1"))
        raise UnsupportedMedia(f"The body is in `{charset}` according to its content type, but JSON must be UTF-8")
    if b"\x00" in raw[:4] or raw.startswith(_OTHER_MARKS):
        raise UnsupportedMedia("The body is in UTF-16 or UTF-32, but JSON must be UTF-8")
    return raw.removeprefix(_MARK)


def refuse_compressed(headers: Mapping[bytes, bytes]) -> None:
    """Raises UnsupportedMedia for a compressed body with files, since files are stored exactly as they arrive."""
    coding = headers.get(b"content-encoding", b"").decode("latin-1").strip().lower()
    if coding not in ("", "identity"):
        raise UnsupportedMedia(
            f"`content-encoding: {quoted(coding)}` is not accepted here",
            hint="send the body uncompressed",
            headers={"accept-encoding": "identity"},
        )


async def decompressed(raw: bytes, coding: bytes, *, limit: int) -> bytes:
    """A body without its compression. limit: the most bytes that it may have afterwards.

    Raises UnsupportedMedia for other codings than gzip and deflate, RequestError for a damaged body, TooLarge.
    """
    name = coding.decode("latin-1").strip().lower()
    if name == "identity":
        return raw
    if name not in ("gzip", "x-gzip", "deflate"):
        raise UnsupportedMedia(
            f"`content-encoding: {quoted(name)}` is not accepted here",
            hint="send the body uncompressed, or with gzip or deflate",
            headers={"accept-encoding": "gzip, deflate"},
        )
    # Some clients send deflate without the zlib frame.
    wbits = _GZIP if name != "deflate" else _ZLIB if raw[0] & 15 == 8 else _BARE
    try:
        return await asyncio.to_thread(_inflated, raw, wbits, limit)  # the largest body takes a tenth of a second
    except zlib.error as error:
        raise RequestError(f"The body is not what its `content-encoding: {name}` says: {error}") from error


def _inflated(raw: bytes, wbits: int, limit: int) -> bytes:
    """Raises zlib.error for a damaged body, TooLarge as soon as there are more than `limit` bytes."""
    decompressor = zlib.decompressobj(wbits)
    text = decompressor.decompress(raw, limit + 1)
    if len(text) > limit:
        raise TooLarge(f"The request body is larger than {limit} bytes when decompressed")
    if not decompressor.eof:
        raise zlib.error("it ends early")
    if decompressor.unused_data:  # also further members of gzip: a million empty ones would take too long
        raise zlib.error("there is more data after its end")
    return text
