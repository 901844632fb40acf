"""Bodies as recordings show them: JSON as JSON, a stream as its events, a form as its parts, and what nobody
can read as bytes beside the recording.

A body is an object with one member that says how it is written, and perhaps others beside it:

    {"json": ...}               a JSON value
    {"text": "..."}             text in UTF-8
    {"fields": [[name, text]]}  a form of names and values (`application/x-www-form-urlencoded`)
    {"parts": [...]}            a form with files (`multipart/form-data`); each part is a body with a `name`
    {"events": [...]}           of a stream; see `streams.py`
    {"bytes": <Held>}           anything else

Wire format: RFC 7578 (multipart/form-data).
"""

from __future__ import annotations

import re
from email.message import Message
from email.parser import HeaderParser
from email.utils import collapse_rfc2231_value
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from runtime.http.transport import server_of
from runtime.recording.streams import event_bytes
from runtime.sse import Json, encode

_decode = msgspec.json.Decoder().decode
_HEADERS = HeaderParser()
_BOUNDARY = "recorded-boundary"
_BODIES = ("json", "text", "fields", "parts", "events", "bytes")


class Held(msgspec.Struct, frozen=True, tag="bytes"):
    """Bytes that are kept beside a recording. suffix: of the file's name, after what they are."""

    data: bytes
    suffix: str = ".bin"


def readable(data: bytes, content_type: str) -> Json:
    """A body that is no stream as a recording shows it. content_type: its header; empty where there is none."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data" and (parts := _parts(data, content_type)) is not None:
        return {"parts": parts}
    text = _text(data)
    if text is None:
        return {"bytes": Held(data, _suffix(kind))}
    if kind == "application/x-www-form-urlencoded":
        return {"fields": [list(pair) for pair in parse_qsl(text, keep_blank_values=True)]}
    if kind.endswith("json") or text[:1] in ("{", "["):
        try:
            return {"json": _decode(data)}
        except (ValueError, RecursionError):
            pass
    return {"text": text}


def written(body: Json) -> bytes:
    """The bytes of a body, as they would be sent: JSON and events in their shortest form."""
    if "json" in body:
        return encode(body["json"])
    if "text" in body:
        return str(body["text"]).encode()
    if "fields" in body:
        return urlencode([(name, value) for name, value in body["fields"]]).encode()
    if "events" in body:
        return b"".join(map(event_bytes, body["events"]))
    if "parts" in body:
        return _multipart(body["parts"])
    held = body.get("bytes")
    return held.data if isinstance(held, Held) else b""


def place_of(url: str) -> Json:
    """An address as requests of recordings have it: `server`, `path` and perhaps `query`."""
    parts = urlsplit(url)
    place: Json = {"server": server_of(url), "path": parts.path or "/"}
    return place | (
        {"query": [list(pair) for pair in parse_qsl(parts.query, keep_blank_values=True)]} if parts.query else {}
    )


def has_body(message: Json) -> bool:
    """Whether a request or an answer has a body."""
    return any(name in message for name in _BODIES)


def content_type(body: Json, given: str) -> str:
    """The media type of what `written` makes of a body. given: the one that it came with."""
    if "parts" in body:
        return f"multipart/form-data; boundary={_BOUNDARY}"
    return given or ("application/json" if "json" in body else "application/octet-stream")


def _text(data: bytes) -> str | None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _parts(data: bytes, content_type: str) -> list[Json] | None:
    """The parts of a form; None for what is not one."""
    boundary = _header("content-type", content_type).get_boundary()
    if not boundary:
        return None
    _, *pieces = (b"\r\n" + data).split(b"\r\n--" + boundary.encode(errors="replace"))
    if not pieces or not pieces.pop().startswith(b"--"):
        return None
    parts = []
    for piece in pieces:
        lines, _, content = piece.lstrip(b" \t").partition(b"\r\n\r\n")
        head = _HEADERS.parsestr(lines.decode(errors="replace").removeprefix("\r\n"), headersonly=True)
        facts = {"name": head.get_param("name", header="content-disposition"), "filename": head.get_filename()}
        shown: Json = {name: collapse_rfc2231_value(value) for name, value in facts.items() if value is not None}
        if kind := head.get("content-type"):
            shown["type"] = kind
        parts.append(shown | readable(content, kind or ""))
    return parts


def _multipart(parts: list[Any]) -> bytes:
    lines = []
    for part in parts:
        filename = f'; filename="{_quoted(part["filename"])}"' if "filename" in part else ""
        kind = f"content-type: {part['type']}\r\n" if "type" in part else ""
        name = f'form-data; name="{_quoted(part.get("name", ""))}"{filename}'
        head = f"--{_BOUNDARY}\r\ncontent-disposition: {name}\r\n{kind}\r\n"
        lines.append(head.encode() + written(part) + b"\r\n")
    return b"".join(lines) + f"--{_BOUNDARY}--\r\n".encode()


def _quoted(name: str) -> str:
    """https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data"""
    return str(name).translate({ord('"'): "%22", ord("\r"): "%0D", ord("\n"): "%0A"})


def _header(name: str, value: str) -> Message:
    header = Message()
    header[name] = value
    return header


def _suffix(kind: str) -> str:
    """A file name's ending for a media type."""
    word = re.sub(r"[^a-z0-9]", "", kind.rpartition("/")[2].removeprefix("x-").partition("+")[0])
    return f".{word}" if word and word != "octetstream" else ".bin"
