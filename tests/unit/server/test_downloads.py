"""What stands in the head of a file that goes out, whatever the client that brought it called it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from runtime.apis._carriers import Download
from runtime.server.downloads import send_download


async def _nothing(begin: int, end: int) -> AsyncIterator[bytes]:
    return
    yield b""


async def headers_of(**facts: Any) -> dict[bytes, bytes]:
    """The headers of an empty file."""
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    await send_download(send, Download(size_bytes=0, read=_nothing, **facts), asked={}, noted=[], is_head=False)
    return dict(messages[0]["headers"])


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        ("text/plain; charset=utf-8", b"text/plain; charset=utf-8"),
        ("", b"application/octet-stream"),
        ("text/\x01plain", b"application/octet-stream"),
        ("text/plain\r\nx: y", b"application/octet-stream"),
        ("text/ä", b"application/octet-stream"),
    ],
)
async def test_a_content_type_that_no_header_can_hold_is_none(said: str, sent: bytes) -> None:
    assert (await headers_of(content_type=said))[b"content-type"] == sent


@pytest.mark.parametrize("said", ["", "bare", '"Ċ"', '"a\nb"', '"a"b"', '"a', '"ä"'])
async def test_nor_is_such_an_etag(said: str) -> None:
    assert b"etag" not in await headers_of(etag=said)


@pytest.mark.parametrize("said", ['"a-1"', 'W/"a"', '""'])
async def test_a_valid_etag_is_sent(said: str) -> None:
    assert (await headers_of(etag=said))[b"etag"] == said.encode()


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("한글.pdf", "attachment; filename=\"__.pdf\"; filename*=UTF-8''%ED%95%9C%EA%B8%80.pdf"),
        ("Loop — a.md", "attachment; filename=\"Loop _ a.md\"; filename*=UTF-8''Loop%20%E2%80%94%20a.md"),
        ('a"b\\c;d.txt', "attachment; filename=\"a_b_c;d.txt\"; filename*=UTF-8''a%22b%5Cc%3Bd.txt"),
        ("a\r\nx: y", "attachment; filename=\"a__x: y\"; filename*=UTF-8''a%0D%0Ax%3A%20y"),
    ],
)
async def test_a_name_is_sent_in_full_and_as_ascii(name: str, sent: str) -> None:
    assert (await headers_of(filename=name))[b"content-disposition"] == sent.encode()


async def test_a_header_of_a_provider_adds_no_other() -> None:
    assert (await headers_of(headers={"x-name": "a\r\nx: Ċ"}))[b"x-name"] == b"a??x: ?"
