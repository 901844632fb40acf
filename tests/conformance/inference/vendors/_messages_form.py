"""Messages for local servers: the same request in OpenAI's form, and OpenAI's answer as one of Messages.

Written from https://platform.claude.com/docs/en/api/messages/create and
https://platform.claude.com/docs/en/build-with-claude/streaming (read November 2026).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from runtime.conformance.upstream import Refused
from runtime.conformance.upstream.words import pieces
from tests.conformance.inference.vendors._messages_checks import BODY

SIGNATURE = "c2lnbmF0dXJl"
_NAMES = {"temperature": "temperature", "top_p": "top_p", "top_k": "top_k", "max_tokens": "max_tokens",
          "stop_sequences": "stop", "stream": "stream", "service_tier": "service_tier"}  # fmt: skip
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}
_ENDS = {"stop": "end_turn", "tool_calls": "tool_use", "length": "max_tokens"}
_TOLD = re.compile(r"\{([^{}]*)\}$")


def openai_of(body: dict[str, Any]) -> dict[str, Any]:
    """The same request in OpenAI's form, with what is not in it as it is."""
    made: dict[str, Any] = {name: value for name, value in body.items() if name not in BODY}
    made |= {"model": body["model"], "messages": _messages(body)}
    made |= {ours: body[theirs] for theirs, ours in _NAMES.items() if theirs in body}
    if thinking := body.get("thinking"):
        made["reasoning_effort"] = "high" if thinking["type"] in ("adaptive", "enabled") else "none"
    if effort := (body.get("output_config") or {}).get("effort"):
        made["reasoning_effort"] = effort
    if form := (body.get("output_config") or {}).get("format"):
        made["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "x", "schema": heeded(form["schema"])},
        }
    functions = [tool for tool in body.get("tools") or () if "input_schema" in tool]
    if functions:
        made["tools"] = [{"type": "function", "function": _function(tool)} for tool in functions]
    if len(functions) < len(body.get("tools") or ()):
        made["web_search_options"] = {}
    if choice := body.get("tool_choice"):
        named = {"type": "function", "function": {"name": choice.get("name")}}
        made["tool_choice"] = named if choice["type"] == "tool" else _CHOICES[choice["type"]]
        if choice.get("disable_parallel_tool_use"):
            made["parallel_tool_calls"] = False
    if user := (body.get("metadata") or {}).get("user_id"):
        made["user"] = user
    return made


def heeded(schema: Any) -> Any:
    """With the limits that are told in words, which a model reads too: `{minimum: 0, maximum: 40}`."""
    if isinstance(schema, list):
        return [heeded(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: heeded(value) for name, value in schema.items()}
    words = made.get("description")
    if isinstance(words, str) and (told := _TOLD.search(words)):
        made |= {name: json.loads(value) for name, value in (one.split(": ") for one in told[1].split(", "))}
    return made


def check_calls_are_answered(body: dict[str, Any]) -> None:
    """Raises Refused unless each call has its result in the next turn, and each result its call in the one before."""
    called: set[str] = set()
    for place, message in enumerate(message for message in body["messages"] if message["role"] != "system"):
        blocks = message["content"]
        answered = {block["tool_use_id"] for block in blocks if block["type"] == "tool_result"}
        if unknown := answered - called:
            raise Refused(400, f"messages.{place}: unexpected `tool_use_id` found in `tool_result` blocks: {unknown}")
        if missing := called - answered:
            raise Refused(400, f"messages.{place}: `tool_use` ids were found without `tool_result` blocks: {missing}")
        called = {block["id"] for block in blocks if block["type"] == "tool_use"}


def _messages(body: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if system := body.get("system"):
        found.append({"role": "system", "content": _content(system)})
    for message in body["messages"]:
        blocks, role = message["content"], message["role"]
        for block in blocks:
            if block["type"] == "tool_result":
                content = _content(block.get("content") or [{"type": "text", "text": ""}])
                found.append({"role": "tool", "tool_call_id": block["tool_use_id"], "content": content})
        said = [block for block in blocks if block["type"] in ("text", "image", "document")]
        calls = [block for block in blocks if block["type"] == "tool_use"]
        if role == "assistant":
            made: dict[str, Any] = {"role": role, "content": _content(said) if said else None}
            if calls:
                made["tool_calls"] = [_call(block) for block in calls]
            elif not said:
                made["content"] = ""
            found.append(made)
        elif said:
            found.append({"role": role, "content": _content(said)})
    return found


def _call(block: dict[str, Any]) -> dict[str, Any]:
    function = {"name": block["name"], "arguments": json.dumps(block["input"])}
    return {"id": block["id"], "type": "function", "function": function}


def _content(blocks: list[dict[str, Any]]) -> Any:
    if all(block["type"] == "text" for block in blocks):
        return "".join(block["text"] for block in blocks)
    return [_part(block) for block in blocks]


def _part(block: dict[str, Any]) -> dict[str, Any]:
    if block["type"] == "text":
        return {"type": "text", "text": block["text"]}
    source = block["source"]
    if block["type"] == "document":
        return {"type": "file", "file": {"file_data": source.get("data", ""), "filename": block.get("title", "x")}}
    data = f"data:{source.get('media_type')};base64,{source.get('data')}"
    return {"type": "image_url", "image_url": {"url": source.get("url") or source.get("file_id") or data}}


def _function(tool: dict[str, Any]) -> dict[str, Any]:
    made = {"name": tool["name"], "description": tool.get("description"), "strict": tool.get("strict")}
    return {name: value for name, value in made.items() if value is not None} | {"parameters": tool["input_schema"]}


def message_of(answer: dict[str, Any], *, shows_thinking: bool = True) -> dict[str, Any]:
    """OpenAI's whole answer as a Message."""
    (choice,) = answer["choices"]
    message, usage = choice["message"], answer["usage"]
    content: list[dict[str, Any]] = []
    if thought := message.get("reasoning_content"):
        content.append({"type": "thinking", "thinking": thought if shows_thinking else "", "signature": SIGNATURE})
    if message.get("content"):
        content.append({"type": "text", "text": message["content"], "citations": None})
    for call in message.get("tool_calls") or ():
        function = call["function"]
        block = {"type": "tool_use", "id": call["id"], "name": function["name"]}
        content.append(block | {"input": json.loads(function["arguments"]), "caller": {"type": "direct"}})
    thought_tokens = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens")
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": answer["model"], "content": content,
        "stop_reason": _ENDS[choice["finish_reason"]], "stop_sequence": None, "stop_details": None, "container": None,
        "usage": {
            "input_tokens": usage["prompt_tokens"], "output_tokens": usage["completion_tokens"],
            "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "cache_creation": None,
            "server_tool_use": None, "service_tier": "standard", "inference_geo": None,
            **({"output_tokens_details": {"thinking_tokens": thought_tokens}} if thought_tokens else {}),
        },
    }  # fmt: skip


def events_of(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The events of a Message that is streamed: word by word, with a ping behind the first."""
    usage, begun = message["usage"], {"content": [], "stop_reason": None}
    counts = {"input_tokens": usage["input_tokens"], "output_tokens": 1, "service_tier": "standard"}
    yield {"type": "message_start", "message": {**message, **begun, "usage": counts}}
    yield {"type": "ping"}
    for index, block in enumerate(message["content"]):
        start, deltas = _streamed(block)
        yield {"type": "content_block_start", "index": index, "content_block": start}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    delta = {"stop_reason": message["stop_reason"], "stop_sequence": None, "stop_details": message["stop_details"]}
    told = {name: usage[name] for name in ("output_tokens", "output_tokens_details") if name in usage}
    yield {"type": "message_delta", "delta": delta, "usage": told}
    yield {"type": "message_stop"}


def _streamed(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """How a block begins, and what is added to it."""
    match block["type"]:
        case "text":
            deltas = [{"type": "text_delta", "text": word} for word in pieces(block["text"])]
            return {"type": "text", "text": ""}, deltas
        case "thinking":
            deltas = [{"type": "thinking_delta", "thinking": word} for word in pieces(block["thinking"]) or [""]]
            signed = {"type": "signature_delta", "signature": block["signature"]}
            return {"type": "thinking", "thinking": "", "signature": ""}, [*deltas, signed]
        case "tool_use":
            written = json.dumps(block["input"]) if block["input"] else ""
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ["", *pieces(written)]]
            return {**block, "input": {}}, deltas
    return block, []
