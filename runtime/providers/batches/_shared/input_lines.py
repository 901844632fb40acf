"""The lines of a batch's input file, read a piece at a time and looked at without building what they ask.

https://platform.openai.com/docs/api-reference/batch/request-input
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import msgspec

from runtime.apis.batches.limits import MAX_LINE_BYTES
from runtime.apis.files.file import FileRequest
from runtime.apis.files.protocol import Files
from runtime.errors import RequestError
from runtime.sse import BYTE_ORDER_MARK

_PIECE_BYTES = 1024**2
_LONGEST_ID = 512
_SHOWN = 100


class _Written(msgspec.Struct):
    """A line as it is written. The body stays JSON."""

    custom_id: Any = None
    method: Any = None
    url: Any = None
    body: msgspec.Raw = msgspec.Raw()


class _Body(msgspec.Struct):
    """What is looked at of a body."""

    model: Any = None
    stream: Any = None
    background: Any = None


_written = msgspec.json.Decoder(_Written).decode
_body = msgspec.json.Decoder(_Body).decode


@dataclass(frozen=True, slots=True)
class Line:
    """A line that can be asked. number: from 1. model: as it names one. body: the request, JSON."""

    number: int
    custom_id: str
    url: str
    model: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Malformed:
    """A line that cannot be asked. custom_id: None where it has none. code, message, param: what is wrong with it."""

    number: int
    custom_id: str | None
    code: str
    message: str
    param: str | None = None


async def raw_lines(files: Files, file_id: str) -> AsyncGenerator[tuple[int, bytes], None]:
    """The number of each line that is not blank, and its bytes. Each piece is read by itself, so that nothing is open
    while lines are answered.

    Raises NotFound where the file is not there or no longer, RequestError for a line that is too long, and what reading
    the file raises.
    """
    begin, number, rest = 0, 0, b""
    while True:
        file = await files.read_file(FileRequest(file_id=file_id))
        end = min(begin + _PIECE_BYTES, file.size_bytes)
        piece = b"".join([part async for part in file.read(begin, end)]) if end > begin else b""
        *whole, rest = (rest + piece).split(b"\n")
        begin, is_last = end, end >= file.size_bytes
        for line in [*whole, rest] if is_last else whole:
            number += 1
            if number == 1:
                line = line.removeprefix(BYTE_ORDER_MARK)
            if len(line) > MAX_LINE_BYTES:
                raise _too_long(number)
            if line.strip():
                yield number, line
        if is_last:
            return
        if len(rest) > MAX_LINE_BYTES:
            raise _too_long(number + 1)


def read_line(number: int, raw: bytes) -> Line | Malformed:
    """What a line says."""
    try:
        written = _written(raw)
    except (ValueError, RecursionError) as error:
        return Malformed(number, None, "invalid_json_line", f"The line is not a JSON object: {_words(error)}")
    custom_id = written.custom_id
    if not isinstance(custom_id, str) or not custom_id:
        return _missing(number, None, "custom_id", "a text that no other line of the file has")
    if len(custom_id) > _LONGEST_ID:
        message = f"`custom_id` has {len(custom_id)} characters; {_LONGEST_ID} are allowed"
        return Malformed(number, custom_id[:_LONGEST_ID], "invalid_custom_id", message, "custom_id")
    if written.method != "POST":
        given = "missing" if written.method is None else f"`{str(written.method)[:_SHOWN]}`"
        return Malformed(number, custom_id, "invalid_method", f"`method` is {given}; it must be `POST`", "method")
    if not isinstance(written.url, str) or not written.url:
        return _missing(number, custom_id, "url", "the endpoint of the batch")
    raw_body = bytes(written.body)
    if not raw_body:
        return _missing(number, custom_id, "body", "the request, a JSON object")
    try:
        body = _body(raw_body)
    except (ValueError, RecursionError) as error:
        return Malformed(number, custom_id, "invalid_body", f"`body` is not a JSON object: {_words(error)}", "body")
    for name in ("stream", "background"):
        if getattr(body, name):
            message = f"`{name}` has no meaning in a batch, whose answers come as a file; leave it out"
            return Malformed(number, custom_id, f"{name}_not_supported", message, f"body.{name}")
    model = body.model if isinstance(body.model, str) else ""
    return Line(number, custom_id, written.url, model, raw_body)


def _missing(number: int, custom_id: str | None, name: str, what: str) -> Malformed:
    message = f"`{name}` is missing or empty; it must be {what}"
    return Malformed(number, custom_id, "missing_required_parameter", message, name)


def _words(error: Exception) -> str:
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)


def _too_long(number: int) -> RequestError:
    return RequestError(
        f"Line {number} of the file is longer than {MAX_LINE_BYTES} bytes",
        hint="a batch has one request a line",
        param="input_file_id",
        code="line_too_long",
    )
