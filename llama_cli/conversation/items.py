"""A conversation in the words of OpenAI's Responses API: its messages as items, and the fields of a chat completion as
those of a response. Asks nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

Item = dict[str, Any]

ITEMS = "items"
"""In a message of ours: what the model and the server's tools have said and done for it, as items. Never sent as it is
to a server that is asked for a chat completion.
"""
_UNTOLD = ("id", "status")
"""Of an item that the server has not kept."""


def has_documents(message: Mapping[str, Any]) -> bool:
    """Whether a message of a chat holds a file that the server has to read."""
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    return any(isinstance(part, dict) and part.get("type") == "file" for part in parts)


def items_of(messages: Iterable[Mapping[str, Any]]) -> list[Item]:
    """Messages of a chat as the input of a response."""
    return [item for message in messages for item in _of_message(message)]


def going_on(output: Sequence[Item]) -> list[Item]:
    """What a response has put out, as the input of the next one. A call that nobody has allowed or refused is left out:
    it was given up.
    """
    answered = {item["approval_request_id"] for item in output if item["type"] == "mcp_approval_response"}
    kept = []
    for item in output:
        if item["type"] != "mcp_approval_request":
            kept.append({name: value for name, value in item.items() if name not in _UNTOLD})
        elif item["id"] in answered:
            kept.append(item)
    return kept


def text_of(item: Item) -> str:
    """What a message that a model has written says."""
    return "".join(part.get("text") or part.get("refusal") or "" for part in item["content"])


def approval(request: Item, *, is_allowed: bool) -> Item:
    """The answer to a call that has to be allowed."""
    return {"type": "mcp_approval_response", "approval_request_id": request["id"], "approve": is_allowed}


def fields_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a chat completion as a response has them; those that it does not have stay, and are passed on."""
    found = dict(fields)
    if (most := found.pop("max_completion_tokens", None)) is not None:
        found["max_output_tokens"] = most
    if (effort := found.pop("reasoning_effort", None)) is not None:
        found["reasoning"] = {"effort": effort}
    if (form := found.pop("response_format", None)) is not None:
        found["text"] = {"format": {"type": form["type"], **form.get("json_schema", {})}}
    return found


def _of_message(message: Mapping[str, Any]) -> Iterator[Item]:
    if ITEMS in message:
        yield from message[ITEMS]
        return
    role = message["role"]
    if role == "tool":
        yield {
            "type": "function_call_output",
            "call_id": message.get("tool_call_id"),
            "output": message.get("content") or "",
        }
        return
    content = message.get("content")
    if content:
        yield {"role": role, "content": content if isinstance(content, str) else _parts(content, role)}
    for call in message.get("tool_calls") or ():
        yield {"type": "function_call", "call_id": call["id"], **call["function"]}


def _parts(content: Sequence[Any], role: str) -> list[Item]:
    """Parts of another kind stay as they are, for the server to refuse."""
    found = []
    for part in content:
        kind = part.get("type")
        if kind == "text":
            found.append({"type": "output_text" if role == "assistant" else "input_text", "text": part["text"]})
        elif kind == "image_url":
            found.append({"type": "input_image", "image_url": part["image_url"]["url"]})
        elif kind == "file":
            found.append({"type": "input_file", **part["file"]})
        else:
            found.append(part)
    return found
