"""Amazon's event streams: messages in binary, each with headers, a payload and two checksums.
https://docs.aws.amazon.com/transcribe/latest/dg/streaming-setting-up.html#streaming-event-stream (read November 2026)

    total length (4) | length of the headers (4) | CRC of these 8 bytes (4) | headers | payload | CRC of all before (4)

Read here rather than by botocore, which brings twenty megabytes and a client of its own for this much.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

MEDIA_TYPE = "application/vnd.amazon.eventstream"
_PRELUDE, _CRC = 12, 4
_MOST_BYTES, _MOST_HEADER_BYTES = 24 * 1024**2, 128 * 1024
_SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Bytes of a header's value, by its type: true, false, the whole numbers, a moment and a UUID."""
_BYTES, _TEXT = 6, 7
"""Types whose value begins with its length."""


class Damaged(Exception):
    """What is no event stream, or was changed on its way; the message says why."""


@dataclass(frozen=True)
class Message:
    """headers: those that are text."""

    headers: dict[str, str]
    payload: bytes

    @property
    def kind(self) -> Literal["event", "exception", "error"]:
        found = self.headers.get(":message-type", "event")
        return "exception" if found == "exception" else "error" if found == "error" else "event"

    @property
    def name(self) -> str:
        """Of the event, of the exception, or of the error."""
        of_kind = {"event": ":event-type", "exception": ":exception-type", "error": ":error-code"}
        return self.headers.get(of_kind[self.kind], "")


def message_bytes(headers: Mapping[str, str], payload: bytes) -> bytes:
    """A message as it is sent."""
    head = b"".join(_header(name.encode(), value.encode()) for name, value in headers.items())
    begun = struct.pack(">II", _PRELUDE + len(head) + len(payload) + _CRC, len(head))
    begun += struct.pack(">I", zlib.crc32(begun)) + head + payload
    return begun + struct.pack(">I", zlib.crc32(begun))


def _header(name: bytes, value: bytes) -> bytes:
    return b"%c%b%c%b%b" % (len(name), name, _TEXT, struct.pack(">H", len(value)), value)


class Splitter:
    """Whole messages from the bytes of each read."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that this read completes. Raises Damaged, after those before the damage."""
        self._held += data
        while (size := self._size()) is not None and size <= len(self._held):
            whole = bytes(self._held[:size])
            del self._held[:size]
            yield _message(whole)

    def _size(self) -> int | None:
        """Of the message that comes next; None where too little of it is there."""
        if len(self._held) < _PRELUDE:
            return None
        total, headers, checksum = struct.unpack_from(">III", self._held)
        if zlib.crc32(self._held[:8]) != checksum:
            raise Damaged("a message whose length has a wrong checksum")
        if headers > _MOST_HEADER_BYTES or not _PRELUDE + headers + _CRC <= total <= _MOST_BYTES:
            raise Damaged(f"a message with lengths that cannot be: {total} bytes, {headers} of headers")
        return int(total)


def _message(data: bytes) -> Message:
    if zlib.crc32(data[:-_CRC]) != struct.unpack(">I", data[-_CRC:])[0]:
        raise Damaged("a message with a wrong checksum")
    end = _PRELUDE + struct.unpack_from(">I", data, 4)[0]
    try:
        return Message(dict(_headers(data[_PRELUDE:end])), data[end:-_CRC])
    except (struct.error, LookupError, UnicodeDecodeError) as error:
        raise Damaged("a message whose headers cannot be read") from error


def _headers(data: bytes) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(data):
        name_end = at + 1 + data[at]
        name, kind = data[at + 1 : name_end].decode(), data[name_end]
        at = name_end + 1
        if kind not in (_BYTES, _TEXT):
            at += _SIZES[kind]
            continue
        value_end = at + 2 + struct.unpack_from(">H", data, at)[0]
        if value_end > len(data):
            raise IndexError("a value goes on after the headers")
        if kind == _TEXT:
            yield name, data[at + 2 : value_end].decode()
        at = value_end
