"""What an answer says, whatever protocol it is written in: its texts, the tools that it calls, how it ended, what it
cost, its vectors. For people, and to compare two answers by what they mean.

Knows the answers of OpenAI's chats, completions and responses, Anthropic's messages, Google's `generateContent`,
Ollama's chats and Amazon's Converse, whole and as events. Vectors are found by their looks, wherever they stand.
"""

from __future__ import annotations

import base64
import binascii
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from runtime.recording.rules import the_rules
from runtime.recording.streams import exceptions_in, objects_in
from runtime.sse import Json

_decode = msgspec.json.Decoder().decode
_BODIES = ("json", "reply", "model")
_OLLAMA_COUNTS = ("prompt_eval_count", "eval_count")
_LEAST_ENCODED = 64
"""Characters of base64 from which on an `embedding` is one."""


@dataclass
class Call:
    """A tool that is called. arguments: as they are on the wire, JSON as text or a value."""

    name: str = ""
    arguments: Any = ""

    @property
    def value(self) -> Any:
        """The arguments as a value; as text where they are no JSON."""
        if not isinstance(self.arguments, str):
            return self.arguments
        try:
            return _decode(self.arguments) if self.arguments else {}
        except (ValueError, RecursionError):
            return self.arguments


@dataclass
class Choice:
    """One of the answers that an answer holds. finish: why it ended, in the vendor's word, if that is said."""

    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    finish: str = ""
    calls: dict[int, Call] = field(default_factory=dict)


@dataclass
class Said:
    """What an answer says. usage: as the vendor counts it; empty where it does not. exceptions: why a stream of
    Amazon's ended, where it says so.
    """

    choices: list[Choice] = field(default_factory=list)
    usage: Json = field(default_factory=dict)
    vectors: list[tuple[float, ...]] = field(default_factory=list)
    exceptions: list[str] = field(default_factory=list)


def value_of(answer: Json) -> Any:
    """The JSON of a recording's answer that is no stream; None where it has none."""
    return next((answer[name] for name in _BODIES if name in answer), None)


def is_refusal(answer: Json) -> bool:
    """Whether an answer says that what was asked is not done."""
    return "error" in answer or answer.get("status", 200) >= 400


def objects_of(answer: Json) -> list[Json]:
    """The JSON objects of an answer in their order: the one of a whole answer, or those of its events."""
    if "events" in answer:
        return objects_in(answer["events"])
    value = value_of(answer)
    return [value] if isinstance(value, dict) else []


def said(answer: Json) -> Said:
    """What an answer of a recording says; nothing, where it is in a form that is not known."""
    choices: defaultdict[int, Choice] = defaultdict(Choice)
    found = Said()
    for part in objects_of(answer):
        for read in _READERS:
            read(part, choices)
        if usage := _usage_of(part):
            found.usage |= usage
    found.choices = [choices[index] for index in sorted(choices)]
    found.vectors = list(_vectors(value_of(answer)))
    found.exceptions = exceptions_in(answer.get("events", ()))
    return found


def text_of(content: Any) -> str:
    """The text of a message's content: a text, or a list of parts of which those that are none are named."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return "" if content is None else msgspec.json.encode(content).decode()
    return "\n".join(_part(part) for part in content)


def _part(part: Any) -> str:
    if isinstance(part, str):
        return part
    text = part.get("text") if isinstance(part, dict) else None
    if isinstance(text, str):
        return text
    kind = part.get("type") if isinstance(part, dict) else None
    return f"<{kind or next(iter(part), 'part') if isinstance(part, dict) else 'part'}>"


def _openai(part: Json, choices: defaultdict[int, Choice]) -> None:
    """https://platform.openai.com/docs/api-reference/chat and /completions."""
    for one in _objects(part.get("choices")):
        choice = choices[_place(one)]
        choice.finish = _first(one, "finish_reason") or choice.finish
        if isinstance(one.get("text"), str):
            choice.text += one["text"]
        for message in (one.get("message"), one.get("delta")):
            if isinstance(message, dict):
                choice.text += text_of(message.get("content"))
                choice.reasoning += _first(message, "reasoning_content", "reasoning", "thinking")
                choice.refusal += _first(message, "refusal")
                for place, call in enumerate(_objects(message.get("tool_calls"))):
                    function = call.get("function")
                    if isinstance(function, dict):
                        # Some vendors leave out which of several a piece belongs to.
                        _add(choice, _place(call, place), function.get("name"), function.get("arguments"))


def _responses(part: Json, choices: defaultdict[int, Choice]) -> None:
    """https://platform.openai.com/docs/api-reference/responses: a whole response, or the event at a stream's end."""
    whole = part.get("response") if str(part.get("type", "")).startswith("response.") else part
    if not isinstance(whole, dict) or whole.get("object") != "response" or whole.get("status") == "in_progress":
        return
    choice = choices[0] = Choice(finish=str(whole.get("status") or ""))
    for item in _objects(whole.get("output")):
        if item.get("type") == "message":
            choice.text += text_of(item.get("content"))
        elif item.get("type") == "reasoning":
            choice.reasoning += text_of(item.get("summary") or item.get("content"))
        elif item.get("type") == "function_call":
            _add(choice, len(choice.calls), item.get("name"), item.get("arguments"))


def _anthropic(part: Json, choices: defaultdict[int, Choice]) -> None:
    """https://docs.anthropic.com/en/api/messages and /messages-streaming."""
    kind = part.get("type")
    if kind == "message":
        choices[0].finish = str(part.get("stop_reason") or "")
        for place, block in enumerate(_objects(part.get("content"))):
            _block(choices[0], place, block)
    elif kind == "content_block_start" and isinstance(begun := part.get("content_block"), dict):
        is_call = begun.get("type") == "tool_use"  # whose `input`, empty here, comes in pieces
        _block(choices[0], _place(part), begun | {"input": ""} if is_call else begun)
    elif kind == "content_block_delta" and isinstance(piece := part.get("delta"), dict):
        _block(choices[0], _place(part), piece)
    elif kind == "message_delta" and isinstance(end := part.get("delta"), dict):
        choices[0].finish = str(end.get("stop_reason") or "")


def _block(choice: Choice, place: int, block: Json) -> None:
    choice.text += _first(block, "text")
    choice.reasoning += _first(block, "thinking")
    if block.get("type") == "tool_use":
        _add(choice, place, block.get("name"), block.get("input"))
    elif block.get("type") == "input_json_delta":
        _add(choice, place, None, block.get("partial_json"))


def _google(part: Json, choices: defaultdict[int, Choice]) -> None:
    """https://ai.google.dev/api/generate-content; the answers of a stream are as a whole one, one after the other."""
    for one in _objects(part.get("candidates")):
        choice = choices[_place(one)]
        choice.finish = _first(one, "finishReason") or choice.finish
        content = one.get("content")
        for piece in _objects(content.get("parts") if isinstance(content, dict) else None):
            if piece.get("thought"):
                choice.reasoning += _first(piece, "text")
            else:
                choice.text += _first(piece, "text")
            if isinstance(call := piece.get("functionCall"), dict):
                _add(choice, len(choice.calls), call.get("name"), call.get("args"))


def _ollama(part: Json, choices: defaultdict[int, Choice]) -> None:
    """https://docs.ollama.com/api/chat and /generate, whole or as lines."""
    if not isinstance(part.get("done"), bool) or not isinstance(part.get("model"), str):
        return
    choice = choices[0]
    choice.finish = _first(part, "done_reason") or choice.finish
    choice.text += _first(part, "response")
    if isinstance(message := part.get("message"), dict):
        choice.text += _first(message, "content")
        choice.reasoning += _first(message, "thinking")
        for call in _objects(message.get("tool_calls")):
            if isinstance(function := call.get("function"), dict):
                _add(choice, len(choice.calls), function.get("name"), function.get("arguments"))


def _converse(part: Json, choices: defaultdict[int, Choice]) -> None:
    """https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html and _ConverseStream."""
    if "contentBlockIndex" in part:
        _converse_piece(part, choices[0])
    elif isinstance(part.get("stopReason"), str):
        choices[0].finish = part["stopReason"]
    output = part.get("output")
    message = output.get("message") if isinstance(output, dict) else None
    if not isinstance(message, dict):
        return
    for block in _objects(message.get("content")):
        choices[0].text += _first(block, "text")
        if isinstance(call := block.get("toolUse"), dict):
            _add(choices[0], len(choices[0].calls), call.get("name"), call.get("input"))


def _converse_piece(part: Json, choice: Choice) -> None:
    """A piece of a block that a stream says."""
    for piece in (part.get("start"), part.get("delta")):
        if not isinstance(piece, dict):
            continue
        choice.text += _first(piece, "text")
        if isinstance(thought := piece.get("reasoningContent"), dict):
            choice.reasoning += _first(thought, "text")
        if isinstance(call := piece.get("toolUse"), dict):
            _add(choice, part["contentBlockIndex"], call.get("name"), call.get("input"))


_READERS = (_openai, _responses, _anthropic, _google, _ollama, _converse)


def _add(choice: Choice, place: int, name: Any, arguments: Any) -> None:
    call = choice.calls.setdefault(place, Call())
    call.name += name if isinstance(name, str) else ""
    if isinstance(arguments, str) and isinstance(call.arguments, str):
        call.arguments += arguments
    elif arguments is not None:
        call.arguments = arguments


def _usage_of(part: Json) -> Json:
    inner = (part.get("message"), part.get("response"))
    for place in (part, *(one for one in inner if isinstance(one, dict))):
        for name in ("usage", "usageMetadata"):
            if isinstance(found := place.get(name), dict):
                return {key: number for key, number in found.items() if isinstance(number, int | float) and number}
    return {name: part[name] for name in _OLLAMA_COUNTS if type(part.get(name)) is int}


def _vectors(value: Any, name: str = "") -> Iterator[tuple[float, ...]]:
    """The lists of many numbers, and embeddings in base64 of floats in 32 bits."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _vectors(inner, key)
    elif isinstance(value, list):
        if len(value) >= the_rules().vector_length and all(type(one) in (int, float) for one in value):
            yield tuple(map(float, value))
        else:
            for inner in value:
                yield from _vectors(inner, name)
    elif name == "embedding" and isinstance(value, str) and len(value) >= _LEAST_ENCODED:
        try:
            numbers = array("f", base64.b64decode(value, validate=True))
        except (binascii.Error, ValueError):
            return
        yield tuple(numbers)


def _objects(value: Any) -> Iterable[Json]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _place(value: Json, otherwise: int = 0) -> int:
    """Which of several a piece belongs to."""
    place = value.get("index")
    return place if isinstance(place, int) else otherwise


def _first(value: Json, *names: str) -> str:
    """The first of these members that is a text."""
    return next((value[name] for name in names if isinstance(value.get(name), str)), "")
