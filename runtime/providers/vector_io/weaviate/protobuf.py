"""As much of protobuf's encoding as a search needs. https://protobuf.dev/programming-guides/encoding"""

from __future__ import annotations

from collections.abc import Iterator

_VARINT, _DOUBLE, _BYTES, _FLOAT = 0, 1, 2, 5
_SIZES = {_DOUBLE: 8, _FLOAT: 4}


def field(number: int, value: bytes | str | int) -> bytes:
    """A field of a message: a message in bytes, bytes, a text, or a number that is not negative."""
    if isinstance(value, int):
        return _varint(number << 3 | _VARINT) + _varint(value)
    content = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | _BYTES) + _varint(len(content)) + content


def fields(message: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Each field's number, and its value: a number for a varint, otherwise its bytes. Raises ValueError for what is no
    message.
    """
    at = 0
    while at < len(message):
        tag, at = _read_varint(message, at)
        if tag & 7 == _VARINT:
            value, at = _read_varint(message, at)
            yield tag >> 3, value
            continue
        if tag & 7 == _BYTES:
            size, at = _read_varint(message, at)
        elif tag & 7 in _SIZES:
            size = _SIZES[tag & 7]
        else:
            raise ValueError(f"a field of type {tag & 7}")
        if at + size > len(message):
            raise ValueError("a field that is cut off")
        yield tag >> 3, message[at : at + size]
        at += size


def _varint(value: int) -> bytes:
    """Seven bits to a byte, the lowest first; all bytes but the last have the highest bit."""
    content = bytearray()
    while value > 0x7F:
        content.append(value & 0x7F | 0x80)
        value >>= 7
    content.append(value)
    return bytes(content)


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    """A number, and where it ends."""
    value = shift = 0
    while True:
        if at >= len(message):
            raise ValueError("a number that is cut off")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
