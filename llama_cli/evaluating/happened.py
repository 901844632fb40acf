"""Cases from what was really asked: a kept chat completion or response becomes a case that expects the old answer.

What no model could be asked again the same way is left out: calls of tools, what is no text, and what goes on from
something that is not in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from llama_cli.evaluating.suite import Case, Message

FORMER = "former_model"
"""The column that says who gave the old answer."""
_CALLS, _NO_TEXT, _CONTINUES, _NO_ANSWER = "calls tools", "is no text", "continues something", "has no answer"


class LeftOut(Exception):
    """It becomes no case. Its text says why, as in `calls tools`."""


def cases(
    kept: Iterable[Mapping[str, Any]], make: Callable[[Mapping[str, Any]], Case], *, limit: int
) -> tuple[list[Case], Counter[str]]:
    """The first cases, in the order in which they were asked, and how many were left out on the way for which reason.

    kept: the newest first.
    """
    left_out = Counter[str]()

    def made() -> Iterator[Case]:
        for one in kept:
            try:
                yield make(one)
            except LeftOut as why:
                left_out[str(why)] += 1

    found = list(islice(made(), limit))
    return found[::-1], left_out


def of_completion(kept: Mapping[str, Any]) -> Case:
    """The case that a chat completion is. Raises LeftOut."""
    answer = kept["choices"][0]["message"]
    messages = kept.get("input_messages") or []
    if answer.get("tool_calls") or answer.get("function_call") or any(map(_calls, messages)):
        raise LeftOut(_CALLS)
    return _case(kept, [_message(one["role"], one.get("content")) for one in messages], answer.get("content"))


def of_response(kept: Mapping[str, Any]) -> Case:
    """The case that a response is. Raises LeftOut."""
    if kept.get("status") != "completed":
        raise LeftOut(_NO_ANSWER)
    if kept.get("previous_response_id") or kept.get("conversation"):
        raise LeftOut(_CONTINUES)
    messages = [_message("system", kept["instructions"])] if kept.get("instructions") else []
    for item in kept["input"]:
        if item.get("type", "message") != "message":
            raise LeftOut(_CALLS)
        messages.append(_message(item["role"], item.get("content")))
    if any(item["type"] not in ("message", "reasoning") for item in kept["output"]):
        raise LeftOut(_CALLS)
    said = [part for item in kept["output"] if item["type"] == "message" for part in item["content"]]
    return _case(kept, messages, "".join(part.get("text") or "" for part in said))


def _case(kept: Mapping[str, Any], messages: list[Message], answer: str | None) -> Case:
    if not answer:
        raise LeftOut(_NO_ANSWER)
    if not messages:
        raise LeftOut(_NO_TEXT)
    stated = {"category": (kept.get("metadata") or {}).get("category"), FORMER: kept.get("model")}
    return Case(id=kept["id"], messages=messages, expected=answer, **stated)


def _calls(message: Mapping[str, Any]) -> bool:
    return bool(message.get("tool_calls") or message.get("function_call") or message["role"] in ("tool", "function"))


def _message(role: str, content: Any) -> Message:
    """With its text alone. Raises LeftOut for what is more than text."""
    if isinstance(content, list):
        if any(part.get("type") not in ("text", "input_text", "output_text") for part in content):
            raise LeftOut(_NO_TEXT)
        content = "\n".join(part["text"] for part in content)
    if not isinstance(content, str) or not content:
        raise LeftOut(_NO_TEXT)
    return Message(role=role, content=content)
