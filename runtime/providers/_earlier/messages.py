"""The earlier messages as those of a chat completion."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.apis._earlier.content import ImageItem, InterleavedContent, items_of
from runtime.apis._earlier.messages import CompletionMessage, EarlierMessage, EarlierToolCall, EarlierUserMessage
from runtime.apis.inference.calls import call_message, readable
from runtime.providers._earlier.images import image_part
from runtime.sse import Json, encode


def chat_messages(messages: Sequence[EarlierMessage], place: str) -> list[Json]:
    """place: the field that they are in, for errors. Raises RequestError for an image that is none."""
    return [_message(message, f"{place}[{at}]") for at, message in enumerate(messages)]


def _message(message: EarlierMessage, place: str) -> Json:
    said: Json = {"role": message.role, "content": _content(message.content, f"{place}.content")}
    if isinstance(message, EarlierUserMessage):
        if message.context is not None:
            said["content"] = _joined(said["content"], _content(message.context, f"{place}.context"))
    elif isinstance(message, CompletionMessage):
        if message.tool_calls:
            said["tool_calls"] = [_call(call) for call in message.tool_calls]
            said["content"] = said["content"] or None
    elif message.role == "tool":
        said["tool_call_id"] = message.call_id
    return said


def _call(call: EarlierToolCall) -> Json:
    written = call.arguments_json
    if written is None:
        written = call.arguments if isinstance(call.arguments, str) else encode(call.arguments).decode()
    return call_message(call.call_id, call.tool_name, readable(written), None)


def _content(content: InterleavedContent, place: str) -> str | list[Json]:
    if isinstance(content, str):
        return content
    at = "[{}]" if isinstance(content, list) else ""
    return [
        image_part(item.image, place + at.format(number))
        if isinstance(item, ImageItem)
        else {"type": "text", "text": item.text}
        for number, item in enumerate(items_of(content))
    ]


def _joined(first: str | list[Json], second: str | list[Json]) -> str | list[Json]:
    if isinstance(first, str) and isinstance(second, str):
        return f"{first}\n{second}"
    parts = [[{"type": "text", "text": said}] if isinstance(said, str) else said for said in (first, second)]
    return [*parts[0], *parts[1]]
