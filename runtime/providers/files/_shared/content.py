"""The bytes of a file on their way to where they are kept: counted, bounded, hashed, and their kind recognised."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

from xxhash import xxh3_128

from runtime.documents.images import image_type
from runtime.errors import TooLarge

_HEAD_BYTES = 1024
_TEXT = "text/plain; charset=utf-8"
_UNKNOWN = "application/octet-stream"
_SIGNATURES = (
    (0, b"%PDF-", "application/pdf"),
    (8, b"WAVE", "audio/wav"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"OggS", "audio/ogg"),
    (4, b"ftyp", "video/mp4"),
    (0, b"PK\x03\x04", "application/zip"),
    (0, b"PK\x05\x06", "application/zip"),
    (0, b"\x1f\x8b", "application/gzip"),
    (0, b"\x28\xb5\x2f\xfd", "application/zstd"),
)
"""Where in a file its first bytes are, and what it then is. https://mimesniff.spec.whatwg.org, section 6."""


class Content:
    """Passes bytes on, once. limit_bytes: the most there may be. more: hashes that are to see them too.

    Afterwards size_bytes, checksum and content_type tell of them.
    """

    def __init__(self, chunks: AsyncIterable[bytes], *, limit_bytes: int, more: tuple[Any, ...] = ()) -> None:
        self._chunks = chunks
        self._limit_bytes = limit_bytes
        self._more = more
        self._hash = xxh3_128()
        self._head = b""
        self.size_bytes = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Raises TooLarge beyond the limit, and what its source raises."""
        async for chunk in self._chunks:
            self.size_bytes += len(chunk)
            if self.size_bytes > self._limit_bytes:
                raise file_too_large(self._limit_bytes)
            if len(self._head) < _HEAD_BYTES:
                self._head += chunk[: _HEAD_BYTES - len(self._head)]
            self._hash.update(chunk)
            for one in self._more:
                one.update(chunk)
            yield chunk

    @property
    def checksum(self) -> str:
        """`xxh3-128:` and 32 hex digits. It tells damaged bytes from whole ones, at a few percent of what a hash costs
        that somebody could be out to defeat.
        """
        return f"xxh3-128:{self._hash.hexdigest()}"

    @property
    def content_type(self) -> str:
        """What the bytes are. A name or a header may say anything, and HTML is never more than text."""
        return content_type_of(self._head)


def file_too_large(limit_bytes: int) -> TooLarge:
    return TooLarge(
        f"The file is larger than {limit_bytes} bytes",
        hint="send it in parts, with POST /v1/uploads, or raise `max_file_bytes` in the provider's config",
        param="file",
    )


def content_type_of(head: bytes) -> str:
    """The content type of a file that begins with these bytes."""
    if image := image_type(head):
        return image
    for at, signature, kind in _SIGNATURES:
        if head.startswith(signature, at):
            return kind
    if b"\0" in head:
        return _UNKNOWN
    try:
        head.decode()
    except UnicodeDecodeError as error:
        if error.reason != "unexpected end of data" or len(head) < _HEAD_BYTES:  # the end may have cut a character
            return _UNKNOWN
    return _TEXT
