"""What the server, pid 1 and the code's process tell each other: JSON behind its length, over pipes."""

from __future__ import annotations

import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LENGTH_BYTES = 4
"""Of the big-endian length before each message."""
MOST_BYTES = 16 * 1024 * 1024
"""Of one message."""


class Gone(Exception):
    """Who would send has closed the pipe."""


def framed(message: dict[str, Any]) -> bytes:
    """A message with its length before it. Half a character, which code may have in a text, is sent as `?`."""
    body = json.dumps(message, ensure_ascii=False).encode(errors="replace")
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


def send(pipe: int, message: dict[str, Any]) -> None:
    """Raises OSError if nobody reads any more."""
    rest = memoryview(framed(message))
    while rest:
        rest = rest[os.write(pipe, rest) :]


def receive(pipe: int) -> dict[str, Any]:
    """The next message. Raises Gone, ValueError for what is none."""
    size = int.from_bytes(_exactly(pipe, LENGTH_BYTES), "big")
    if size > MOST_BYTES:
        raise ValueError(f"a message of {size} bytes")
    return read(_exactly(pipe, size))


def read(body: bytes) -> dict[str, Any]:
    """A message without its length. Raises ValueError for what is none."""
    message = json.loads(body)
    if not isinstance(message, dict):
        raise ValueError("a message that is no object")
    return message


def _exactly(pipe: int, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = os.read(pipe, min(size - len(parts), 1024 * 1024))
        if not part:
            raise Gone
        parts += part
    return bytes(parts)
