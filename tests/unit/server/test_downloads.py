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
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    file = Download(size_bytes=0, read=_nothing, content_type=said)
    await send_download(send, file, asked={}, noted=[], is_head=False)
    assert dict(messages[0]["headers"])[b"content-type"] == sent
