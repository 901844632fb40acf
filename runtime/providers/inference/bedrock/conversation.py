"""A conversation as Converse has it: what a system says apart, and turns of user and assistant that take turns.
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Message.html (read November 2026)
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from runtime.context import warn
from runtime.errors import RequestError
from runtime.providers.inference._openai_compatible.outgoing_fields import refusal
from runtime.providers.inference.bedrock.parts import blocks_of
from runtime.sse import Json

KEPT = "bedrock"
"""Below `extra_content` of a call, as Gemini has it for its own: the reasoning before it, which has to come back."""
_ID = re.compile(r"[^a-zA-Z0-9_.:-]")


def conversation(
    messages: Sequence[Json], *, with_tools: bool, takes_system: bool, provider_id: str
) -> tuple[list[Json], list[Json]]:
    """What the system says, and the turns. with_tools: whether the request has tools: without, Converse refuses calls
    and their results, which become text. Raises RequestError for what Converse does not take.
    """
    system: list[Json] = []
    turns: list[Json] = []
    for place, message in enumerate(messages):
        role, content = message["role"], message.get("content")
        if role in ("system", "developer"):
            system += blocks_of(content, provider_id)
        elif role == "user":
            _add(turns, "user", blocks_of(content, provider_id))
        elif role == "assistant":
            _add(turns, "assistant", _said(message, place, with_tools, provider_id))
        elif role == "tool":
            _add(turns, "user", _result(message, with_tools, provider_id))
        else:
            raise refusal(f"messages[{place}].role", provider_id, f"has no role `{role}`: `tool` is the newer form")
    if system and not takes_system:
        warn(f"what the system says was sent as the user's: `{provider_id}` has no system prompt for this model")
        first = turns[0]["content"] if turns and turns[0]["role"] == "user" else []
        turns[: 1 if first else 0] = [{"role": "user", "content": [*system, *first]}]
        system = []
    _tell_documents_apart(turns)
    return system, turns


def _add(turns: list[Json], role: str, blocks: Iterator[Json]) -> None:
    """To the last turn where it is of this role: Bedrock wants roles to alternate."""
    found = list(blocks)
    if found and turns and turns[-1]["role"] == role:
        turns[-1]["content"] += found
    elif found:
        turns.append({"role": role, "content": found})


def _said(message: Json, place: int, with_tools: bool, provider_id: str) -> Iterator[Json]:
    calls = message.get("tool_calls") or ()
    if with_tools:
        yield from _reasoning(calls)
    yield from blocks_of(message.get("content"), provider_id)
    yield from blocks_of(message.get("refusal"), provider_id)
    for at, call in enumerate(calls):
        where = f"messages[{place}].tool_calls[{at}]"
        if call.get("type", "function") != "function":
            raise refusal(f"{where}.type", provider_id, "has only calls of functions")
        function = call["function"]
        if with_tools:
            arguments = _arguments(function.get("arguments"), f"{where}.function.arguments")
            yield {"toolUse": {"toolUseId": _id(call["id"]), "name": function["name"], "input": arguments}}
        else:
            yield {"text": f"[called {function['name']} with {function.get('arguments') or '{}'}]"}


def _reasoning(calls: Sequence[Json]) -> Iterator[Json]:
    """The blocks that came with the first call, as they were: Claude refuses calls without."""
    extra = calls[0].get("extra_content") if calls else None
    kept = extra.get(KEPT) if isinstance(extra, dict) else None
    for block in kept.get("reasoning") or () if isinstance(kept, dict) else ():
        yield {"reasoningContent": block}


def _result(message: Json, with_tools: bool, provider_id: str) -> Iterator[Json]:
    blocks = list(blocks_of(message.get("content"), provider_id))
    if with_tools:
        content = blocks or [{"text": "(nothing)"}]
        yield {"toolResult": {"toolUseId": _id(message["tool_call_id"]), "content": content}}
    else:
        yield {"text": "[the result:]"}
        yield from blocks


def _arguments(given: Any, where: str) -> Json:
    try:
        found = msgspec.json.decode(given or "{}")
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise RequestError("the arguments of a call have to be a JSON object", param=where, code="invalid_value")
    return found


def _id(given: str) -> str:
    """With what Bedrock allows in one; other vendors allow more."""
    return _ID.sub("_", given)[-64:] or "_"


def _tell_documents_apart(turns: Sequence[Json]) -> None:
    """Bedrock refuses two documents of one name."""
    seen: Counter[str] = Counter()
    for turn in turns:
        for block in turn["content"]:
            if (document := block.get("document")) is not None:
                name = document["name"]
                seen[name] += 1
                if seen[name] > 1:
                    document["name"] = f"{name} ({seen[name]})"
