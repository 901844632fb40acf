"""Sends files: whole, or one range that the client asks for, so that an interrupted download can be resumed.

| `range` of a GET (RFC 9110, 14.2) | answer |
|---|---|
| one range of bytes | 206 with those of them that there are |
| several | 200 with the whole file, which the RFC allows |
| none, or any with an `if-range` that is no longer the file's etag | 200 with the whole file |
| only ranges that begin after the end | 416 with the file's size in `content-range` |
| another unit, or no valid range | 400 with the header's value: its sender would take the whole file for a part of it |

A file's name is only used in `content-disposition`, and a browser never shows the file as a page of ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any
from urllib.parse import quote

from runtime.apis._carriers import Download
from runtime.errors import RangeNotSatisfiable, RequestError
from runtime.invalid.vocabulary import quoted
from runtime.server.asgi import Send
from runtime.server.header_values import header_bytes
from runtime.sse import AsyncClosable

_RANGES = re.compile(rb"\s*bytes\s*=(.*)", re.IGNORECASE | re.DOTALL)
_RANGE = re.compile(rb"(\d*)\s*-\s*(\d*)")
_LONGEST_PLACE = 19
"""Only so many digits of a place are read; one with more is behind the end of every file."""
_ETAG = re.compile(r'(W/)?"[\x21\x23-\x7e]*"')
Headers = list[tuple[bytes, bytes]]


async def send_download(
    send: Send, download: Download, *, asked: Mapping[bytes, bytes], noted: Headers, is_head: bool
) -> None:
    """Send a file. asked: the request's headers. noted: more headers of the answer. is_head: send only the headers.

    Raises RangeNotSatisfiable for a range that begins after the end of the file, RequestError for an invalid one.
    """
    etag = _etag(download)
    if etag and etag in [one.strip() for one in asked.get(b"if-none-match", b"").split(b",")]:
        await _send(send, 304, [(b"etag", etag), *noted])
        return
    wanted = None if is_head else _range(asked, download)
    begin, end = wanted or (0, download.size_bytes)
    headers = [
        (b"content-type", _content_type(download.content_type)),
        (b"content-length", b"%d" % (end - begin)),
        (b"content-disposition", _disposition(download.filename)),
        (b"accept-ranges", b"bytes"),
        (b"x-content-type-options", b"nosniff"),
        *([(b"etag", etag)] if etag else []),
        *([(b"content-range", b"bytes %d-%d/%d" % (begin, end - 1, download.size_bytes))] if wanted else []),
        *header_bytes(download.headers),
        *noted,
    ]
    if is_head or begin == end:
        await _send(send, 206 if wanted else 200, headers)
        return
    async with aclosing(_as_generator(download.read(begin, end))) as chunks:
        data = await anext(chunks, b"")  # before the status, so that a failure still has one of its own
        await send({"type": "http.response.start", "status": 206 if wanted else 200, "headers": headers})
        await send({"type": "http.response.body", "body": data, "more_body": True})
        async for data in chunks:
            await send({"type": "http.response.body", "body": data, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _as_generator(chunks: Any) -> Any:
    """A generator over any iterator, which also closes it."""
    try:
        async for data in chunks:
            yield data
    finally:
        if isinstance(chunks, AsyncClosable):
            await chunks.aclose()


async def _send(send: Send, status: int, headers: Headers) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _range(asked: Mapping[bytes, bytes], download: Download) -> tuple[int, int] | None:
    """The first byte to send and the one after the last; None for the whole file."""
    if b"range" not in asked or (b"if-range" in asked and asked[b"if-range"].strip() != _etag(download)):
        return None
    size = download.size_bytes
    given = _ranges(asked[b"range"], size)
    if all(begin >= end for begin, end in given):
        raise RangeNotSatisfiable(
            f"The file has {size} bytes, and the range begins after its end",
            param="range",
            headers={"content-range": f"bytes */{size}"},
        )
    return given[0] if len(given) == 1 else None


def _ranges(header: bytes, size: int) -> list[tuple[int, int]]:
    """The ranges that a header asks of a file of `size` bytes, each as in `_range`; one that begins after the end is
    empty. Raises RequestError for a header without ranges, or with an invalid one.
    """
    listed = _RANGES.fullmatch(header)
    texts = [text for text in (listed[1].split(b",") if listed else []) if text.strip()]
    ranges = [one for text in texts if (one := _within(_RANGE.fullmatch(text.strip()), size)) is not None]
    if not ranges or len(ranges) < len(texts):
        raise RequestError(
            f"`range: {quoted(header.decode('latin-1'))}` is no range of bytes",
            hint="ask for `bytes=0-499`, `bytes=500-` or, for the last 500, `bytes=-500`",
            param="range",
            code="invalid_value",
        )
    return ranges


def _within(found: re.Match[bytes] | None, size: int) -> tuple[int, int] | None:
    """One range as in `_ranges`; None for an invalid one."""
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        return max(0, size - _place(found[2])), size
    begin, end = _place(found[1]), _place(found[2]) + 1 if found[2] else size
    return None if found[2] and end <= begin else (begin, min(size, end))


def _place(digits: bytes) -> int:
    digits = digits.lstrip(b"0")
    return int(digits or b"0") if len(digits) <= _LONGEST_PLACE else 10**_LONGEST_PLACE


def _etag(download: Download) -> bytes:
    """The etag if it is valid in a header, RFC 9110, 8.8.3; else nothing. One may be made of a name."""
    return download.etag.encode() if download.etag and _ETAG.fullmatch(download.etag) else b""


def _content_type(given: str) -> bytes:
    """The content type if it is valid in a header: the client that uploaded the file may have sent anything."""
    return given.encode() if given and given.isascii() and given.isprintable() else b"application/octet-stream"


def _disposition(filename: str | None) -> bytes:
    """RFC 6266: the name in ASCII for old clients, and unchanged in UTF-8."""
    if not filename:
        return b"attachment"
    plain = re.sub(r'[^\x20-\x7e]|["\\]', "_", filename)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}".encode()
