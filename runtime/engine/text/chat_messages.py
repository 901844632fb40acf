"""OpenAI's chat messages in the form that chat templates expect. Knows messages; no Jinja, no tokens."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from runtime.errors import RequestError

Message = Mapping[str, Any]

ROLES = ("system", "developer", "user", "assistant", "tool")


def normalised_messages(messages: Sequence[Message], knows_developer: bool) -> list[dict[str, Any]]:
    """Messages as templates expect them: content as text, known roles, tool arguments as objects, no empty fields.

    knows_developer: whether the template has this role of its own. Raises RequestError, naming the place, for a message
    that is wrong or that a text model cannot take.
    """
    if not messages:
        raise RequestError("`messages` is empty; a chat needs at least one message.", param="messages")
    return [_Position(f"messages[{at}]").normalised(message, knows_developer) for at, message in enumerate(messages)]


@dataclass(frozen=True)
class _Position:
    """A message's place in the request, for error messages."""

    path: str

    def normalised(self, message: Message, knows_developer: bool) -> dict[str, Any]:
        role = message.get("role")
        if role not in ROLES:
            known = ", ".join(f"`{role}`" for role in ROLES)
            raise RequestError(f"`{role}` is not a role; take one of {known}.", param=f"{self.path}.role")
        if role == "developer" and not knows_developer:
            role = "system"  # the older name of the same role, which every template knows
        result = {key: value for key, value in message.items() if value is not None and value != []}
        result |= {"role": role, "content": self.text(message)}
        if calls := result.get("tool_calls"):
            result["tool_calls"] = [self.tool_call(call, at) for at, call in enumerate(calls)]
        return result

    def text(self, message: Message) -> str:
        content = message.get("content")
        if isinstance(content, str):
            return content
        if content is None and message.get("role") == "assistant":
            return str(message.get("refusal") or "")
        if not isinstance(content, Sequence):
            raise RequestError("A message's content is a string or a list of parts.", param=f"{self.path}.content")
        return "\n".join(self.part(part, f"{self.path}.content[{at}]") for at, part in enumerate(content))

    def part(self, part: object, path: str) -> str:
        match part:
            case str():
                return part
            case {"type": "text", "text": str(text)} | {"type": "refusal", "refusal": str(text)}:
                return text
            case {"type": str(kind)} if kind != "text":
                raise RequestError(f"This model reads text; it cannot take a part of type `{kind}`.", param=path)
        raise RequestError('A content part looks like `{"type": "text", "text": "..."}`.', param=path)

    def tool_call(self, call: Any, at: int) -> dict[str, Any]:
        match call:
            case {"function": {"name": str()} as function}:
                arguments = function.get("arguments")
            case _:
                path = f"{self.path}.tool_calls[{at}]"
                raise RequestError("A tool call needs a `function` with a `name`.", param=path)
        if isinstance(arguments, str):
            # Earlier output of a model need not be JSON; the template then shows it as it is.
            with suppress(ValueError, RecursionError):
                arguments = json.loads(arguments or "{}")
        return {**call, "function": {**function, "arguments": arguments}}


def shorten_ids(messages: Sequence[dict[str, Any]]) -> None:
    """Give calls in normalised messages ids of nine letters and digits, as Mistral's templates want them.

    A call and its result keep one id.
    """
    for message in messages:
        if "tool_call_id" in message:
            message["tool_call_id"] = _short_id(message["tool_call_id"])
        for call in message.get("tool_calls", ()):
            call["id"] = _short_id(call.get("id"))


def _short_id(id: object) -> str:
    text = str(id)
    if len(text) == 9 and text.isascii() and text.isalnum():
        return text
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:9]
