"""Answers that come bit by bit, as recordings show them: one object each, which says by its members how it is written.

    {"event": ..., "data": ...}     a server-sent event, by its fields; `data` is JSON where it can be, else text
    {"raw": "..."}                  one that these would not say as it is: two `id` fields, data that is not UTF-8
    {"line": ...}                   a line of JSON (`application/x-ndjson`), as Ollama answers
    {"headers": {...}, "data": ...} a message of Amazon's event streams, as Bedrock answers

Wire formats: WHATWG HTML 9.2.6 (server-sent events), https://github.com/ndjson/ndjson-spec, `runtime/amazon_events.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from runtime.amazon_events import MEDIA_TYPE as AMAZON
from runtime.amazon_events import Damaged, Splitter, message_bytes
from runtime.http.transport import EVENT_STREAM
from runtime.sse import Json, encode

_decode = msgspec.json.Decoder().decode
_FIELD = re.compile(r"(data|event|id|retry):? ?(.*)", re.DOTALL)


@dataclass(frozen=True)
class Form:
    """One way to write a stream. shown: its events, None for bytes that are none. counting: makes what counts the
    events that end in each piece.
    """

    shown: Callable[[bytes], list[Json] | None]
    counting: Callable[[], Callable[[bytes], int]]


def form_of(content_type: str) -> Form | None:
    """The form of a body; None for one that comes whole. content_type: its header."""
    return _FORMS.get(content_type.partition(";")[0].strip().lower())


def event_bytes(event: Json) -> bytes:
    """One event as it is sent, with what ends it; JSON in its shortest form."""
    if "raw" in event:
        return str(event["raw"]).encode() + b"\n\n"
    if "line" in event:
        return encode(event["line"]) + b"\n"
    if "headers" in event:
        data = event.get("data", "")
        return message_bytes(event["headers"], data.encode() if isinstance(data, str) else encode(data))
    lines = [f"{name}: {event[name]}" for name in ("event", "id", "retry") if name in event]
    if "data" in event:
        data = event["data"]
        text = data if isinstance(data, str) else encode(data).decode()
        lines += [f"data: {line}" for line in text.split("\n")]
    return "\n".join(lines).encode() + b"\n\n"


def objects_in(events: Sequence[Json]) -> list[Json]:
    """The JSON objects that events hold, in their order."""
    found = (event.get("data", event.get("line")) for event in events)
    return [one for one in found if isinstance(one, dict)]


def as_events(data: bytes) -> list[Json]:
    """Server-sent events. Comments are left out."""
    normal = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return [event for block in normal.split(b"\n\n") if (event := _event(block)) is not None]


def _event(block: bytes) -> Json | None:
    event: Json = {}
    lines: list[str] = []
    try:
        text = block.decode()
    except UnicodeDecodeError:
        return {"raw": block.decode(errors="backslashreplace")}
    for line in text.split("\n"):
        if not line or line.startswith(":"):
            continue
        found = _FIELD.fullmatch(line)
        if found is None or (found[1] != "data" and found[1] in event):
            return {"raw": text}
        if found[1] == "data":
            lines.append(found[2])
        else:
            event[found[1]] = found[2]
    if not lines:
        return event or None
    data = "\n".join(lines)
    event["data"] = _json_or_text(data)
    if isinstance(event["data"], str) and data[:1] == '"':
        return {"raw": text}
    return event


def _lines(data: bytes) -> list[Json] | None:
    try:
        return [{"line": _decode(line)} for line in data.split(b"\n") if line.strip()]
    except (ValueError, RecursionError):
        return None


def _messages(data: bytes) -> list[Json] | None:
    """None also for messages that cannot be written again as they are: with headers that are no text."""
    try:
        messages = list(Splitter().feed(data))
        shown: list[Json] = [{"headers": one.headers, "data": _payload(one.payload)} for one in messages]
    except (Damaged, UnicodeDecodeError):
        return None
    is_same = b"".join(message_bytes(one.headers, one.payload) for one in messages) == data
    return shown if is_same else None


def _payload(data: bytes) -> object:
    text = data.decode()
    found = _json_or_text(text)
    return text if isinstance(found, str) else found


def _json_or_text(text: str) -> object:
    try:
        return _decode(text)
    except (ValueError, RecursionError):
        return text


def _counting(end: bytes) -> Callable[[], Callable[[bytes], int]]:
    return lambda: lambda piece: piece.replace(b"\r\n", b"\n").count(end)


def _counting_messages() -> Callable[[bytes], int]:
    splitter = Splitter()
    return lambda piece: sum(1 for _ in splitter.feed(piece))


_FORMS = {
    EVENT_STREAM: Form(as_events, _counting(b"\n\n")),
    "application/x-ndjson": Form(_lines, _counting(b"\n")),
    AMAZON: Form(_messages, _counting_messages),
}
