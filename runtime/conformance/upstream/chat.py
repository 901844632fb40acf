"""Chat completions, as https://platform.openai.com/docs/api-reference/chat documents them.

A tool is called in the first turn after a user's message, and again where the request demands it; the turn after a
tool's answer repeats that answer. What is drawn is drawn from the request.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from runtime.conformance.upstream.checks import check_chat, chosen_tools, offered_tools, texts
from runtime.conformance.upstream.schemas import value_of
from runtime.conformance.upstream.wire import CREATED, Answer, Habits
from runtime.conformance.upstream.words import cut, pieces, randomness, some_words, usage

_REASONING_WORDS = 4
_PARTS = {"image_url": "image", "input_audio": "audio", "file": "file"}
_ANY_OBJECT = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}


@dataclass(frozen=True, kw_only=True)
class _Written:
    """One choice. reasoning, words: its text, piece by piece. calls: of tools, in OpenAI's form."""

    reasoning: list[str]
    words: list[str]
    finish: str
    calls: list[dict[str, Any]] = field(default_factory=list)

    @property
    def tokens(self) -> int:
        arguments = "".join(call["function"]["arguments"] for call in self.calls)
        return len(self.reasoning) + len(self.words) + len(pieces(arguments))


def chat(body: dict[str, Any], habits: Habits) -> Answer:
    check_chat(body)
    prompt = json.dumps(body["messages"])
    answers = [_written(body, f"{prompt}#{copy}") for copy in range(body.get("n") or 1)]
    counts = usage("\n".join(texts(body["messages"])), sum(answer.tokens for answer in answers))
    if any(answer.reasoning for answer in answers):
        counts["completion_tokens_details"] = {"reasoning_tokens": sum(len(answer.reasoning) for answer in answers)}
    head = {"id": "chatcmpl-1", "created": CREATED, "model": body["model"], "system_fingerprint": "fp_1"}
    choices = [
        {
            "index": index,
            "message": _message(answer, habits),
            "logprobs": _logprobs(body, answer.words),
            "finish_reason": answer.finish,
        }
        for index, answer in enumerate(answers)
    ]
    chunk = {**head, "object": "chat.completion.chunk"}
    events = [
        {
            **chunk,
            "choices": [{"index": index, "delta": delta, "logprobs": _logprobs(body, words), "finish_reason": finish}],
        }
        for index, answer in enumerate(answers)
        for delta, words, finish in _deltas(answer, habits)
    ]
    whole = {**head, "object": "chat.completion", "choices": choices, "usage": counts}
    return Answer(whole=whole, events=events, head=chunk)


def _message(answer: _Written, habits: Habits) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": "".join(answer.words), "refusal": None}
    if answer.calls:
        message |= {"content": None, "tool_calls": answer.calls}
    if answer.reasoning and habits.reasoning_field:
        message[habits.reasoning_field] = "".join(answer.reasoning)
    return message


def _deltas(answer: _Written, habits: Habits) -> Iterator[tuple[dict[str, Any], list[str], str | None]]:
    """The deltas of one choice, the words that each has, and the finish reason."""
    yield {"role": "assistant", "content": None if answer.calls else ""}, [], None
    if habits.reasoning_field:
        for word in answer.reasoning:
            yield {habits.reasoning_field: word}, [], None
    for word in answer.words:
        yield {"content": word}, [word], None
    for index, call in enumerate(answer.calls):
        begun = {**call, "function": {**call["function"], "arguments": ""}}
        yield {"tool_calls": [{"index": index, **begun}]}, [], None
        for piece in pieces(call["function"]["arguments"]):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}, [], None
    yield {}, [], answer.finish


def _written(body: dict[str, Any], prompt: str) -> _Written:
    chosen = randomness(body, prompt)
    limit = body.get("max_completion_tokens", body.get("max_tokens"))
    words = some_words(chosen)
    reasoning = [] if body.get("reasoning_effort") in (None, "none") else some_words(chosen, _REASONING_WORDS)
    if limit is not None:
        reasoning = reasoning[:limit]
        limit -= len(reasoning)
    if names := _called(body):
        calls = [_call(name, offered_tools(body)[name], chosen) for name in names]
        return _Written(reasoning=reasoning, words=[], finish="tool_calls", calls=calls)
    words, finish = cut(_text(body, words, chosen), body.get("stop"), limit)
    return _Written(reasoning=reasoning, words=words, finish=finish)


def _called(body: dict[str, Any]) -> list[str]:
    """The names of the tools that this turn calls: those that the last user's message names, else the first; where one
    has to be called, one that was not called yet, if any is left.
    """
    tools, choice, messages = list(offered_tools(body)), body.get("tool_choice") or "auto", body["messages"]
    named = chosen_tools(body)
    if named is not None:
        tools = named
    mode = "required" if named is not None else choice
    if isinstance(choice, dict) and choice["type"] == "allowed_tools":
        mode = choice["allowed_tools"]["mode"]
    if not tools or mode == "none" or (mode == "auto" and messages[-1]["role"] != "user"):
        return []
    if mode == "required":
        done = {call["function"]["name"] for message in messages for call in message.get("tool_calls") or ()}
        tools = [name for name in tools if name not in done] or tools
    asked = " ".join(texts([message for message in messages if message["role"] == "user"][-1:]))
    wanted = [name for name in tools if name in asked] or tools[:1]
    return wanted[:1] if body.get("parallel_tool_calls") is False else wanted


def _call(name: str, function: dict[str, Any], chosen: random.Random) -> dict[str, Any]:
    arguments = json.dumps(value_of(function.get("parameters", {"type": "object"}), chosen))
    made = {"name": name, "arguments": arguments}
    return {"id": f"call_{chosen.getrandbits(64):016x}", "type": "function", "function": made}


def _text(body: dict[str, Any], words: list[str], chosen: random.Random) -> list[str]:
    """What is written where nothing is called: JSON, what tools have answered, or words after a count of what else the
    conversation brings.
    """
    form = body.get("response_format") or {"type": "text"}
    if form["type"] == "json_schema":
        return pieces(json.dumps(value_of(form["json_schema"].get("schema", {}), chosen)))
    if form["type"] == "json_object":
        return pieces(json.dumps(value_of(_ANY_OBJECT, chosen)))
    answered = []
    for message in reversed(body["messages"]):
        if message["role"] != "tool":
            break
        answered += texts([message])
    if answered:
        return pieces(f"The tools say: {', '.join(reversed(answered))}")
    contents = [message.get("content") for message in body["messages"]]
    parts = Counter(part["type"] for content in contents if isinstance(content, list) for part in content)
    counted = [word for kind, name in _PARTS.items() if parts[kind] for word in (f"{parts[kind]} ", f"{name} ")]
    return [*counted, *words]


def _logprobs(body: dict[str, Any], words: list[str]) -> dict[str, Any] | None:
    if not body.get("logprobs"):
        return None
    return {"content": [_logprob(word, body.get("top_logprobs") or 0) for word in words], "refusal": None}


def _logprob(word: str, top: int) -> dict[str, Any]:
    likely = [
        {"token": word if place == 0 else f"{place}", "logprob": -0.5 - place, "bytes": None} for place in range(top)
    ]
    return {"token": word, "logprob": -0.5, "bytes": list(word.encode()), "top_logprobs": likely}
