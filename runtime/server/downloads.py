"""Files that go out: whole, or the one range that a client asks for, so that a broken download can be resumed.

Several ranges at once are answered with the whole file, as RFC 9110, 14.2 allows. What a file calls itself goes into
`content-disposition` and nowhere else, and a browser never shows it as a page of ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any
from urllib.parse import quote

from litestar.types import Send

from runtime.apis._carriers import Download
from runtime.errors import RangeNotSatisfiable

_RANGE = re.compile(rb"\s*bytes\s*=\s*(\d{0,19})\s*-\s*(\d{0,19})\s*")
Headers = list[tuple[bytes, bytes]]


async def send_download(
    send: Send, download: Download, *, asked: Mapping[bytes, bytes], noted: Headers, is_head: bool
) -> None:
    """Send a file. asked: the request's headers; noted: more headers of the answer; is_head: only how it would be.

    Raises RangeNotSatisfiable for a range that begins behind the file's end.
    """
    etag = (download.etag or "").encode("latin-1")
    if etag and etag in [one.strip() for one in asked.get(b"if-none-match", b"").split(b",")]:
        await _send(send, 304, [(b"etag", etag), *noted])
        return
    wanted = _range(asked, download)
    begin, end = wanted or (0, download.size_bytes)
    headers = [
        (b"content-type", _content_type(download.content_type)),
        (b"content-length", b"%d" % (end - begin)),
        (b"content-disposition", _disposition(download.filename)),
        (b"accept-ranges", b"bytes"),
        (b"x-content-type-options", b"nosniff"),
        *([(b"etag", etag)] if etag else []),
        *([(b"content-range", b"bytes %d-%d/%d" % (begin, end - 1, download.size_bytes))] if wanted else []),
        *((name.encode("latin-1"), value.encode("latin-1")) for name, value in download.headers.items()),
        *noted,
    ]
    if is_head or begin == end:
        await _send(send, 206 if wanted else 200, headers)
        return
    await send({"type": "http.response.start", "status": 206 if wanted else 200, "headers": headers})
    async with aclosing(_as_generator(download.read(begin, end))) as chunks:
        async for data in chunks:
            await send({"type": "http.response.body", "body": data, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _as_generator(chunks: Any) -> Any:
    """Closes what it reads also where that is no generator of its own."""
    try:
        async for data in chunks:
            yield data
    finally:
        if hasattr(chunks, "aclose"):
            await chunks.aclose()


async def _send(send: Send, status: int, headers: Headers) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _range(asked: Mapping[bytes, bytes], download: Download) -> tuple[int, int] | None:
    """The bytes to send, the second place exclusive; None for all of them."""
    found = _RANGE.fullmatch(asked.get(b"range", b""))
    if found is None or not (found[1] or found[2]):
        return None
    if b"if-range" in asked and asked[b"if-range"].strip() != (download.etag or "").encode("latin-1"):
        return None
    size = download.size_bytes
    if not found[1]:
        begin, end = max(0, size - int(found[2])), size
    else:
        begin, end = int(found[1]), min(size, int(found[2]) + 1 if found[2] else size)
        if found[2] and int(found[2]) < begin:
            return None
    if begin >= size or begin >= end:
        raise RangeNotSatisfiable(
            f"The file has {size} bytes, and the range begins behind them",
            param="range",
            headers={"content-range": f"bytes */{size}"},
        )
    return begin, end


def _content_type(said: str) -> bytes:
    """As an uploading client may have said it, so perhaps nothing that a header can hold."""
    return said.encode() if said and said.isascii() and said.isprintable() else b"application/octet-stream"


def _disposition(filename: str | None) -> bytes:
    """RFC 6266: the name in ASCII for old clients, and whole in UTF-8."""
    if not filename:
        return b"attachment"
    plain = re.sub(r'[^\x20-\x7e]|["\\]', "_", filename)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}".encode()
