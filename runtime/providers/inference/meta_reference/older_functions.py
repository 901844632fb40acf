"""OpenAI's older form of tools: `functions`, `function_call`, and messages of the role `function`.

https://platform.openai.com/docs/api-reference/chat/create. A request of it is turned into one of tools.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runtime.apis.inference.protocol import ChatCompletionRequest
from runtime.errors import RequestError


def has_older_form(request: ChatCompletionRequest) -> bool:
    """Whether a request has functions of the older form, so that its answer has a call of that form.

    Raises RequestError for a request with both forms.
    """
    for name, newer in (("functions", "tools"), ("function_call", "tool_choice")):
        if getattr(request, name) is not None and (request.tools or request.tool_choice is not None):
            raise RequestError(f"`{name}` is the older form of `{newer}`; give one of them.", param=name)
    return bool(request.functions) or request.function_call is not None


def as_tools(functions: Sequence[Mapping[str, Any]] | None) -> list[dict[str, Any]]:
    """The functions as tools."""
    return [{"type": "function", "function": dict(one)} for one in functions or ()]


def as_tool_choice(choice: str | Mapping[str, Any] | None) -> Any:
    """`function_call` as `tool_choice`."""
    return choice if choice is None or isinstance(choice, str) else {"type": "function", "function": dict(choice)}


def with_newer_messages(messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Messages with the newer form of calls and results."""
    newer: list[Mapping[str, Any]] = []
    for at, message in enumerate(messages):
        if message.get("function_call"):
            kept = {key: value for key, value in message.items() if key != "function_call"}
            call = {"id": f"call_{at}", "type": "function", "function": message["function_call"]}
            newer.append({**kept, "tool_calls": [call]})
        elif message.get("role") == "function":
            newer.append({**message, "role": "tool", "tool_call_id": f"call_{max(0, at - 1)}"})
        else:
            newer.append(message)
    return newer
