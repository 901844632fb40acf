"""Answers that come bit by bit, as recordings show them: one object each, which says by its members how it is written.

    {"event": ..., "data": ...}     a server-sent event, by its fields; `data` is JSON where it can be, else text
    {"raw": "..."}                  one that these would not say as it is: two `id` fields, data that is not UTF-8
    {"line": ...}                   a line of JSON (`application/x-ndjson`), as Ollama answers; or
    {"text": "..."}                 one that is none
    {"headers": {...}, "data": ...} a message of Amazon's event streams, as Bedrock answers
    {"rest": "..."}                 the beginning of an event or of a line, after which the answer was cut

Wire formats: WHATWG HTML 9.2.6 (server-sent events), https://github.com/ndjson/ndjson-spec, `runtime/amazon_events.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from runtime.amazon_events import MEDIA_TYPE as AMAZON
from runtime.amazon_events import Damaged, Message, Splitter, message_bytes
from runtime.http.transport import EVENT_STREAM, NDJSON
from runtime.sse import Json, encode

_DONE = "[DONE]"
_decode = msgspec.json.Decoder().decode
_FIELD = re.compile(r"(data|event|id|retry)(?:: ?(.*))?", re.DOTALL)


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
    if "rest" in event:
        return str(event["rest"]).encode()
    if "text" in event:
        return str(event["text"]).encode() + b"\n"
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


def name_of(event: Json) -> str:
    """What kind of event it is, as it says itself; empty where it does not."""
    headers, data = event.get("headers", {}), event.get("data")
    said = event.get("event") or headers.get(":event-type") or headers.get(":exception-type")
    said = said or (data.get("type") if isinstance(data, dict) else None)
    return said if isinstance(said, str) else ""


def exceptions_in(events: Sequence[Json]) -> list[str]:
    """Why a stream of Amazon's ended, where it did so by a message of its own."""
    return [
        f"{name_of(event)}: {data.get('message', '') if isinstance(data := event.get('data'), dict) else data}"
        for event in events
        if event.get("headers", {}).get(":message-type") in ("exception", "error")
    ]


def objects_in(events: Sequence[Json]) -> list[Json]:
    """The JSON objects that events hold, in their order."""
    found = (event.get("data", event.get("line")) for event in events)
    return [one for one in found if isinstance(one, dict)]


def as_events(data: bytes) -> list[Json]:
    """Server-sent events. Comments are left out."""
    *blocks, last = _normal(data).split(b"\n\n")
    events = [event for block in blocks if (event := _event(block)) is not None]
    unended = _event(last)
    if unended is not None:
        is_whole = isinstance(unended.get("data"), dict) or unended.get("data") == _DONE
        events.append(unended if is_whole else {"rest": last.decode(errors="backslashreplace")})
    return events


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
            lines.append(found[2] or "")
        else:
            event[found[1]] = found[2] or ""
    if not lines:
        return event or None
    data = "\n".join(lines)
    event["data"] = _json_or_text(data)
    if isinstance(event["data"], str) and data[:1] == '"':
        return {"raw": text}
    return event


def _lines(data: bytes) -> list[Json] | None:
    """None for what is no text."""
    try:
        *lines, last = data.decode().split("\n")
    except UnicodeDecodeError:
        return None
    events: list[Json] = [_line(line) for line in lines if line.strip()]
    if last.strip():
        unended = _line(last)
        events.append(unended if "line" in unended else {"rest": last})
    return events


def _line(text: str) -> Json:
    try:
        return {"line": _decode(text)}
    except (ValueError, RecursionError):
        return {"text": text}


def _messages(data: bytes) -> list[Json] | None:
    """The messages that are whole. None for what is none, and for messages that cannot be written again as they are:
    with headers that are no text.
    """
    messages: list[Message] = []
    try:
        messages += Splitter().feed(data)
        shown: list[Json] = [{"headers": one.headers, "data": _payload(one.payload)} for one in messages]
    except (Damaged, UnicodeDecodeError):
        return None
    is_same = data.startswith(b"".join(message_bytes(one.headers, one.payload) for one in messages))
    return shown if messages and is_same else None


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
    """Counts what has something in it, and ends with `end`, wherever a piece may end."""

    def made() -> Callable[[bytes], int]:
        held = bytearray()

        def count(piece: bytes) -> int:
            held.extend(piece)
            *whole, rest = _normal(bytes(held)).split(end)
            held[:] = rest
            return sum(map(_has_something, whole))

        return count

    return made


def _has_something(block: bytes) -> bool:
    return any(line.strip() and not line.startswith(b":") for line in block.split(b"\n"))


def _normal(data: bytes) -> bytes:
    """With one kind of line ends; a return at the end may be half of one."""
    end = data[-1:] if data.endswith(b"\r") else b""
    return data[: len(data) - len(end)].replace(b"\r\n", b"\n").replace(b"\r", b"\n") + end


def _counting_messages() -> Callable[[bytes], int]:
    splitter = Splitter()
    return lambda piece: sum(1 for _ in splitter.feed(piece))


_FORMS = {
    EVENT_STREAM: Form(as_events, _counting(b"\n\n")),
    NDJSON: Form(_lines, _counting(b"\n")),
    AMAZON: Form(_messages, _counting_messages),
}
