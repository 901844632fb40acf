"""Tools for models whose providers take none: described in words, and called in the text.

    <tool_call>{"name": "get_weather", "arguments": {"city": "Paris"}}</tool_call>

This is how the chat templates of many open models write calls, so that even models which were not told of tools by
their providers often know it. What is in the text becomes a call as its provider would have given it, so that nobody
else notices.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from runtime.apis.inference.guardrails import violation_in
from runtime.errors import UpstreamRejected
from runtime.sse import Json, decode, encode

_BEGIN, _END = "<tool_call>", "</tool_call>"
_ASKED = ("tools", "tool_choice", "parallel_tool_calls")
_NOT = r"(?:\bnot|n't|\bun)[\s-]?(?:\w+ )?(?:support(?:ed|s|ing)?|available|enabled)"
_TOOLS = r"\b(?:tools?|functions?)(?:[ -]?(?:use|calls?|calling))?\b"
_refuses = re.compile(
    rf"{_NOT} (?:the |any |for |use of )*{_TOOLS}|{_TOOLS}[`'\"]? (?:\w+ ){{0,2}}?{_NOT}", re.IGNORECASE
).search
_of_one_tool = re.compile(
    r"schema|parameters?\b|propert|argument|keyword|\bstrict\b|parallel|\b(?:tools?|functions?)(?:\.\w|\[)",
    re.IGNORECASE,
).search
"""What is said of a tool's definition, or of how tools are called: another one may be taken."""
_HOW = """You can call functions. To call one, write nothing but
{begin}{{"name": "the function's name", "arguments": {{...}}}}{end}
You then get what it gives back. These are the functions, each with the JSON Schema of its arguments:
{functions}"""
_MUST = {"required": "Call one of them now.", "auto": "Call one only where it helps; otherwise answer in words."}


def refuses_tools(error: UpstreamRejected) -> bool:
    """Whether a provider refuses a request since its model takes no tools, and not for one of them."""
    if error.upstream_status not in (400, 422, 501) or _of_one_tool(error.param or ""):
        return False
    return _refuses(error.message) is not None and _of_one_tool(error.message) is None


def without_tools(settings: Json, messages: Sequence[Json]) -> tuple[Json, list[Json]]:
    """The same request for a provider that takes no tools. settings: with tools."""
    asked = {name: value for name, value in settings.items() if name not in _ASKED}
    told = [_in_words(message) for message in messages]
    if rules := _rules(settings["tools"], settings.get("tool_choice") or "auto"):
        if told and told[0]["role"] in ("system", "developer") and isinstance(told[0]["content"], str):
            told[0] = {**told[0], "content": f"{told[0]['content']}\n\n{rules}"}
        else:
            told.insert(0, {"role": "system", "content": rules})
    return asked, told


def _rules(tools: Sequence[Json], choice: Any) -> str:
    """What the model is told of the tools that it may call."""
    mode, names = _chosen(choice)
    functions = [tool[tool["type"]] for tool in tools if names is None or tool[tool["type"]]["name"] in names]
    if mode == "none" or not functions:
        return ""
    listed = "\n".join(encode(function).decode() for function in functions)
    return f"{_HOW.format(begin=_BEGIN, end=_END, functions=listed)}\n{_MUST[mode]}"


def _chosen(choice: Any) -> tuple[str, set[str] | None]:
    if isinstance(choice, str):
        return choice, None
    if choice["type"] == "allowed_tools":
        allowed = choice["allowed_tools"]
        return allowed["mode"], {tool[tool["type"]]["name"] for tool in allowed["tools"]}
    return "required", {choice[choice["type"]]["name"]}


def _in_words(message: Json) -> Json:
    if message["role"] == "tool":
        return {"role": "user", "content": f"<tool_response>{_text(message['content'])}</tool_response>"}
    if not message.get("tool_calls"):
        return message
    calls = []
    for call in message["tool_calls"]:
        function = call["function"]
        calls.append(f'{_BEGIN}{{"name": {json.dumps(function["name"])}, "arguments": {function["arguments"]}}}{_END}')
    said = {name: value for name, value in message.items() if name != "tool_calls"}
    return said | {"content": "\n".join([*filter(None, [said.get("content")]), *calls])}


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content or ())


class CallsInText:
    """One answer, whose text has calls in it. calls: how many there have been."""

    def __init__(self) -> None:
        self._waiting = ""
        self._is_in_call = False
        self.calls = 0

    def heard(self, chunk: Json) -> Iterator[Json]:
        """A chunk, or a whole answer, as a provider that takes tools would have sent it."""
        if violation_in(chunk) is not None:
            self._waiting = ""  # what a shield stopped begins no call
        for choice in chunk.get("choices") or ():
            name = "delta" if choice.get("delta") is not None else "message"
            said = choice.get(name) or {}
            is_last = bool(choice.get("finish_reason"))
            parts = [*self._split(_text(said.get("content")), is_last=is_last)]
            for part in parts:
                yield {"choices": [{"index": choice.get("index") or 0, "delta": part}]}
            rest = {**choice, name: {**said, "content": None}}
            if self.calls and choice.get("finish_reason") == "stop":
                rest["finish_reason"] = "tool_calls"
            yield {**chunk, "choices": [rest]}
        if not chunk.get("choices"):
            yield chunk

    def rest(self) -> Iterator[Json]:
        """What is still held back, where a provider did not say that its answer ends."""
        for part in self._split("", is_last=True):
            yield {"choices": [{"index": 0, "delta": part}]}

    def _split(self, text: str, *, is_last: bool) -> Iterator[Json]:
        self._waiting += text
        while True:
            mark = _END if self._is_in_call else _BEGIN
            before, found, after = self._waiting.partition(mark)
            if not found:
                break
            yield from self._part(before)
            self._is_in_call, self._waiting = not self._is_in_call, after
        held = self._waiting if self._is_in_call else _beginning_of(_BEGIN, self._waiting)
        ready, self._waiting = self._waiting[: len(self._waiting) - len(held)], held
        if ready:
            yield from self._part(ready)
        if is_last and self._waiting:
            yield from self._part(self._waiting)
            self._waiting = ""

    def _part(self, text: str) -> Iterator[Json]:
        call = _call(text) if self._is_in_call else None
        if call is not None:
            index, self.calls = self.calls, self.calls + 1
            yield {"tool_calls": [{"index": index, "type": "function", "function": call}]}
        elif self._is_in_call:
            yield {"content": _BEGIN + text}  # no call after all
        elif text and not (self.calls and text.isspace()):
            yield {"content": text}


def _call(text: str) -> Json | None:
    """The function that is called; None where the text is no call."""
    try:
        call = decode(text.encode())
        name, arguments = call["name"], call.get("arguments", {})
    except (msgspec.DecodeError, TypeError, KeyError):
        return None
    if not isinstance(name, str) or not name:
        return None
    return {"name": name, "arguments": arguments if isinstance(arguments, str) else encode(arguments).decode()}


def _beginning_of(mark: str, text: str) -> str:
    """The end of the text that may become the mark."""
    for length in range(min(len(mark) - 1, len(text)), 0, -1):
        if mark.startswith(text[-length:]):
            return text[-length:]
    return ""
