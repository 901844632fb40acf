"""Which chat requests are refused, with the words and the `param` that OpenAI has for it.

https://platform.openai.com/docs/api-reference/chat/create, and the errors of its guides, read November 2026.
"""

from __future__ import annotations

import re
from typing import Any

from runtime.conformance.upstream.schemas import check_schema
from runtime.conformance.upstream.wire import Refused

_ROLES = ("developer", "system", "user", "assistant", "tool", "function")
_PARTS = {
    "text": ("text",),
    "refusal": ("refusal",),
    "image_url": ("image_url", "url"),
    "input_audio": ("input_audio", "data"),
    "file": ("file",),
}
"""Content parts, and where each has what it brings."""
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_LONGEST = 10_000  # characters of text


def check_chat(body: dict[str, Any]) -> None:
    """Raises Refused for a request that OpenAI does not take."""
    messages = body.get("messages")
    if not messages:
        raise Refused(400, "Invalid 'messages': empty array. Expected at least 1 message.", param="messages")
    for place, message in enumerate(messages):
        _check_message(message, f"messages[{place}]")
    _check_calls_are_answered(messages)
    _check_tools(body)
    _check_format(body)
    if sum(len(text) for text in texts(messages)) > _LONGEST:
        raise Refused(400, "maximum context length exceeded", param="messages", code="context_length_exceeded")


def texts(messages: list[dict[str, Any]]) -> list[str]:
    """All text of a conversation."""
    found: list[str] = []
    for message in messages:
        content = message.get("content") or ""
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        found += [part["text"] for part in parts if part["type"] == "text"]
    return found


def offered_tools(body: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The functions of a request by name."""
    return {tool["function"]["name"]: tool["function"] for tool in body.get("tools") or ()}


def _check_message(message: dict[str, Any], where: str) -> None:
    role, content = message.get("role"), message.get("content")
    if role is None:
        _missing(f"{where}.role")
    if role not in _ROLES:
        raise Refused(400, f"Invalid value: '{role}'. Supported values are: {_ROLES}", param=f"{where}.role")
    if role == "tool" and not message.get("tool_call_id"):
        _missing(f"{where}.tool_call_id")
    if content is None and not (role == "assistant" and (message.get("tool_calls") or message.get("refusal"))):
        raise Refused(
            400, "Invalid value for 'content': expected a string, got null.", param=f"{where}.content",
            code="invalid_value",
        )  # fmt: skip
    for place, call in enumerate(message.get("tool_calls") or ()):
        for path in (("id",), ("type",), ("function", "name"), ("function", "arguments")):
            _need(call, path, f"{where}.tool_calls[{place}]")
    if isinstance(content, list):
        for place, part in enumerate(content):
            there = f"{where}.content[{place}]"
            if part.get("type") not in _PARTS:
                raise Refused(400, f"Invalid value: '{part.get('type')}'.", param=f"{there}.type", code="invalid_value")
            _need(part, _PARTS[part["type"]], there)


def _check_calls_are_answered(messages: list[dict[str, Any]]) -> None:
    """Each tool message belongs to a call of the assistant's turn before it, and each call has one."""
    open_calls: set[str] = set()
    for place, message in enumerate(messages):
        if message["role"] == "tool":
            if message["tool_call_id"] not in open_calls:
                said = "messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
                raise Refused(400, f"Invalid parameter: {said}", param=f"messages[{place}].role")
            open_calls.discard(message["tool_call_id"])
            continue
        if open_calls:
            break
        open_calls = {call["id"] for call in message.get("tool_calls") or ()}
    if open_calls:
        said = (
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'"
        )
        raise Refused(400, f"{said}. Not answered: {', '.join(sorted(open_calls))}", param="messages")


def _check_tools(body: dict[str, Any]) -> None:
    tools = body.get("tools")
    for field in ("tool_choice", "parallel_tool_calls"):
        if tools is None and body.get(field) not in (None, "none"):
            raise Refused(400, f"'{field}' is only allowed when 'tools' are specified.", param=field)
    if tools is not None and not tools:
        raise Refused(400, "Invalid 'tools': empty array. Expected at least 1 tool.", param="tools")
    for place, tool in enumerate(tools or ()):
        where = f"tools[{place}]"
        if tool.get("type") != "function":
            raise Refused(400, f"Invalid value: '{tool.get('type')}'.", param=f"{where}.type", code="invalid_value")
        _need(tool, ("function", "name"), where)
        function = tool["function"]
        _check_name(function["name"], f"{where}.function.name")
        check_schema(
            function.get("parameters", {}), what=f"function '{function['name']}'",
            param=f"{where}.function.parameters", strict=bool(function.get("strict")),
        )  # fmt: skip
    for name in chosen_tools(body) or ():
        if name not in offered_tools(body):
            raise Refused(400, f"Tool choice '{name}' not found in 'tools' parameter.", param="tool_choice")


def chosen_tools(body: dict[str, Any]) -> list[str] | None:
    """The tools that `tool_choice` names; None where it names none. Raises Refused for one that is not offered.

    https://platform.openai.com/docs/guides/function-calling
    """
    choice = body.get("tool_choice")
    if choice in (None, "none", "auto", "required"):
        return None
    if isinstance(choice, dict) and choice.get("type") == "function":
        _need(choice, ("function", "name"), "tool_choice")
        return [choice["function"]["name"]]
    if isinstance(choice, dict) and choice.get("type") == "allowed_tools":
        _need(choice, ("allowed_tools", "mode"), "tool_choice")
        return [tool["function"]["name"] for tool in choice["allowed_tools"]["tools"]]
    raise Refused(400, f"Invalid value: '{choice}'.", param="tool_choice", code="invalid_value")


def _check_format(body: dict[str, Any]) -> None:
    form = body.get("response_format") or {"type": "text"}
    if form.get("type") == "json_schema":
        _need(form, ("json_schema", "name"), "response_format")
        wanted = form["json_schema"]
        _check_name(wanted["name"], "response_format.json_schema.name")
        check_schema(
            wanted.get("schema", {}), what=f"response_format '{wanted['name']}'", param="response_format",
            strict=bool(wanted.get("strict")),
        )  # fmt: skip
    elif form.get("type") == "json_object":
        if not any("json" in text.lower() for text in texts(body["messages"])):
            said = "must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."
            raise Refused(400, f"'messages' {said}", param="messages")
    elif form.get("type") != "text":
        raise Refused(400, f"Invalid value: '{form.get('type')}'.", param="response_format.type", code="invalid_value")


def _check_name(name: str, param: str) -> None:
    if not _NAME.fullmatch(name):
        said = "string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
        raise Refused(400, f"Invalid '{param}': {said}", param=param, code="invalid_value")


def _need(value: Any, path: tuple[str, ...], where: str) -> None:
    for name in path:
        where = f"{where}.{name}"
        value = value.get(name) if isinstance(value, dict) else None
        if value is None:
            _missing(where)


def _missing(param: str) -> None:
    raise Refused(400, f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter")
