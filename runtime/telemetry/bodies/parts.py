"""Parts of messages, in the form of the conventions:
https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/gen-ai-input-messages.json.

Of a file or an image that is sent along, only what it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from runtime.sse import Json
from runtime.telemetry.bodies.room import Room

_TEXTS = {"text": "text", "input_text": "text", "output_text": "text", "refusal": "refusal"}
"""Parts with a text, each with the member that has it."""


def parts_of(content: Any, room: Room) -> Iterator[Json]:
    """The parts of a message's content, in either form of it."""
    if isinstance(content, str):
        if content:
            yield text(content, room)
        return
    for part in content if isinstance(content, list) else ():
        if isinstance(part, dict):
            if not room.begin():
                return
            yield _part(part, room)


def text(said: object, room: Room) -> Json:
    return {"type": "text", "content": room.text(said)}


def thought(said: object, room: Room) -> Json:
    return {"type": "reasoning", "content": room.text(said)}


def call(id: Any, name: Any, arguments: Any, room: Room) -> Json:
    """A call of a tool."""
    return {"type": "tool_call", "id": room.name(id), "name": room.name(name) or "", "arguments": room.value(arguments)}


def result(id: Any, response: Any, room: Room) -> Json:
    """What a tool gave back."""
    return {"type": "tool_call_response", "id": room.name(id), "response": room.value(response)}


def _part(part: Json, room: Room) -> Json:
    kind = str(part.get("type"))
    if kind in _TEXTS:
        return text(part.get(_TEXTS[kind]) or "", room)
    if kind in ("image_url", "input_image"):
        given = part.get("image_url")
        return _at(given.get("url") if isinstance(given, dict) else given, part.get("file_id"), "image", room)
    if kind in ("file", "input_file"):
        given = part["file"] if isinstance(part.get("file"), dict) else part
        return _at(given.get("file_url"), given.get("file_id"), "document", room)
    if kind == "input_audio":
        return _at(None, None, "audio", room)
    return {"type": room.name(kind)}


def _at(url: Any, file_id: Any, modality: str, room: Room) -> Json:
    if file_id:
        return {"type": "file", "modality": modality, "file_id": room.name(file_id)}
    if isinstance(url, str) and not url.startswith("data:"):
        return {"type": "uri", "modality": modality, "uri": room.text(url)}
    return {"type": "blob", "modality": modality, "content": ""}
