"""What a turn begins with, as items of a response's input."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from runtime.apis._earlier.content import EarlierUrl, ImageItem, InterleavedContent, items_of
from runtime.apis._earlier.messages import EarlierToolMessage, EarlierUserMessage
from runtime.apis.agents.turn import AgentDocument, ToolResult
from runtime.http.data_addresses import is_data_address
from runtime.http.pages import is_address
from runtime.providers._earlier.images import address_of
from runtime.sse import Json

NOT_ANSWERED = "This call was not answered."
_BREAK = {"type": "input_text", "text": "\n"}
"""Between texts, which a model reads as one."""


def message_items(messages: Iterable[EarlierUserMessage | EarlierToolMessage]) -> list[Json]:
    """Raises RequestError for an image that is none."""
    return [_message(message, f"messages[{at}]") for at, message in enumerate(messages)]


def result_items(results: Iterable[ToolResult]) -> list[Json]:
    """What the client's tools gave back. Raises RequestError for an image that is none."""
    return [_output(one.call_id, one.content, f"tool_responses[{at}].content") for at, one in enumerate(results)]


def unanswered(waiting: Sequence[Json], answered: Collection[str]) -> list[Json]:
    """Items for calls that the client leaves unanswered: a model does not go on without. waiting: the calls."""
    return [
        {"type": "function_call_output", "call_id": call["call_id"], "output": NOT_ANSWERED}
        for call in waiting
        if call["call_id"] not in answered
    ]


def document_item(documents: Sequence[AgentDocument]) -> Json:
    """Documents that the model reads itself, as one message. Raises RequestError for an image that is none."""
    parts = [part for at, one in enumerate(documents) for part in _document(one, at)]
    return {"type": "message", "role": "user", "content": parts}


def _message(message: EarlierUserMessage | EarlierToolMessage, place: str) -> Json:
    if isinstance(message, EarlierToolMessage):
        return _output(message.call_id, message.content, f"{place}.content")
    parts = _parts(message.content, f"{place}.content")
    if message.context is not None:
        parts += [_BREAK, *_parts(message.context, f"{place}.context")]
    return {"type": "message", "role": "user", "content": parts}


def _output(call_id: str, content: InterleavedContent, place: str) -> Json:
    output = content if isinstance(content, str) else _parts(content, place)
    return {"type": "function_call_output", "call_id": call_id, "output": output}


def _parts(content: InterleavedContent, place: str) -> list[Json]:
    at = f"{place}[{{}}]" if isinstance(content, list) else place
    return [
        {"type": "input_image", "image_url": address_of(item.image, at.format(number))}
        if isinstance(item, ImageItem)
        else {"type": "input_text", "text": item.text}
        for number, item in enumerate(items_of(content))
    ]


def _document(document: AgentDocument, at: int) -> list[Json]:
    content, kind = document.content, document.mime_type
    if isinstance(content, str) and is_address(content):
        content = EarlierUrl(uri=content.strip())
    if not isinstance(content, EarlierUrl):
        head = {"type": "input_text", "text": f"\nDocument {at + 1} ({kind}):\n"}
        return [head, *_parts(content, f"documents[{at}].content")]
    if kind.startswith("image/"):
        return [{"type": "input_image", "image_url": content.uri}]
    if is_data_address(content.uri):
        return [{"type": "input_file", "filename": f"document-{at + 1}", "file_data": content.uri}]
    return [{"type": "input_file", "file_url": content.uri}]
