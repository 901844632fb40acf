"""Converse's form of a chat, for a local server: what it has, and the same in OpenAI's form, in both directions.

Written from https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html and the pages of the
types that it names (read November 2026).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from runtime.conformance.upstream import Answer, Refused

SIGNATURE = "c2lnbmVkIHRob3VnaHQ="
Fields = Mapping[str, Any]
_IMAGE: Fields = {"format": None, "source": {"bytes": None, "s3Location": {"uri": None}}}
_DOCUMENT: Fields = {"format": None, "name": None, "source": {"bytes": None, "s3Location": {"uri": None}}}
_BLOCK: Fields = {
    "text": None,
    "image": _IMAGE,
    "document": _DOCUMENT,
    "audio": {"format": None, "source": {"bytes": None}},
    "toolUse": {"toolUseId": None, "name": None, "input": None},
    "toolResult": {"toolUseId": None, "content": [{"text": None, "image": _IMAGE, "document": _DOCUMENT}]},
    "reasoningContent": {"reasoningText": {"text": None, "signature": None}, "redactedContent": None},
    "cachePoint": {"type": None, "ttl": None},
}
BODY: Fields = {
    "messages": [{"role": None, "content": [_BLOCK]}],
    "system": [{"text": None, "cachePoint": {"type": None, "ttl": None}}],
    "inferenceConfig": {"maxTokens": None, "temperature": None, "topP": None, "stopSequences": None},
    "toolConfig": {
        "tools": [{"toolSpec": {"name": None, "description": None, "inputSchema": {"json": None}, "strict": None}}],
        "toolChoice": {"auto": {}, "any": {}, "tool": {"name": None}},
    },
    "guardrailConfig": None,
    "additionalModelRequestFields": None,
    "requestMetadata": None,
    "performanceConfig": {"latency": None},
    "serviceTier": {"type": None},
    "outputConfig": {
        "textFormat": {
            "type": None,
            "structure": {"jsonSchema": {"schema": None, "name": None, "description": None}},
        },
        "effort": None,
    },
}  # fmt: skip
"""Every name that a request may have; a value of None is not looked into."""
_IMAGES = {"png": b"\x89PNG", "jpeg": b"\xff\xd8\xff", "gif": b"GIF8", "webp": b"RIFF"}
_DOCUMENTS = ("pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md")
_ENDS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}


def check_form(body: dict[str, Any], *, choices: frozenset[str], thinks: bool) -> None:
    """Raises Refused for what Converse does not take. choices: the forms of `toolChoice` that the model has; with none
    it has no tools.
    """
    _check_names(body, BODY, "")
    messages = body.get("messages") or []
    roles = [message["role"] for message in messages]
    if not roles or roles[0] != "user":
        raise Refused(400, "A conversation must start with a user message.")
    if any(one == other for one, other in pairwise(roles)):
        raise Refused(400, "A conversation must alternate between user and assistant roles.")
    names: list[str] = []
    blocks = [block for message in messages for block in message["content"]]
    for block in blocks:
        _check_block(block, names)
    if len({*names}) < len(names):
        raise Refused(400, "The request contains documents with the same name.")
    config = body.get("toolConfig")
    if config is None:
        if any("toolUse" in block or "toolResult" in block for block in blocks):
            raise Refused(400, "The toolConfig field must be defined when using toolUse and toolResult content blocks.")
        return
    if not choices:
        raise Refused(400, "This model doesn't support tool use.")
    if not config.get("tools"):
        raise Refused(400, "toolConfig.tools: must not be empty")
    for tool in config["tools"]:
        if (
            not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", tool["toolSpec"]["name"])
            or "json" not in tool["toolSpec"]["inputSchema"]
        ):
            raise Refused(400, "toolConfig.tools: the tool is not valid")
    for choice in config.get("toolChoice") or {}:
        if choice not in choices:
            raise Refused(400, f"This model doesn't support the toolConfig.toolChoice.{choice} field.")
    if thinks:
        _check_thought(messages)


def _check_names(given: Any, known: Any, where: str) -> None:
    if isinstance(known, list):
        for one in given:
            _check_names(one, known[0], where)
    elif isinstance(known, Mapping):
        for name, value in given.items():
            if name not in known:
                raise Refused(400, f'Unknown parameter in {where or "input"}: "{name}"')
            _check_names(value, known[name], f"{where}.{name}".strip("."))


def _check_block(block: dict[str, Any], names: list[str]) -> None:
    if len(block) != 1:
        raise Refused(400, "A content block has one member.")
    if "text" in block and not block["text"].strip():
        raise Refused(400, "The text field in the ContentBlock object is blank. Add text to the text field.")
    if (image := block.get("image")) is not None and "bytes" in image["source"]:
        data = base64.b64decode(image["source"]["bytes"], validate=True)
        if not data.startswith(_IMAGES[image["format"]]):
            raise Refused(400, "Could not process image")
    if (document := block.get("document")) is not None:
        if document["format"] not in _DOCUMENTS or not re.fullmatch(
            r"[\w\-()\[\]]+( [\w\-()\[\]]+)*", document["name"]
        ):
            raise Refused(400, "The document file name can only contain alphanumeric characters, ...")
        names.append(document["name"])
    for name in ("toolUse", "toolResult"):
        if name in block and not re.fullmatch(r"[a-zA-Z0-9_.:-]{1,64}", block[name]["toolUseId"]):
            raise Refused(400, f"{name}.toolUseId is not valid")
    if "toolUse" in block and not isinstance(block["toolUse"]["input"], dict):
        raise Refused(400, "The format of the value at toolUse.input is invalid. Provide a json object.")


def _check_thought(messages: list[dict[str, Any]]) -> None:
    """Claude wants the signed thought before a call back: as long as it thinks."""
    for message in messages:
        blocks = message["content"]
        if any("toolUse" in block for block in blocks):
            first = (blocks[0].get("reasoningContent") or {}).get("reasoningText") or {}
            if first.get("signature") != SIGNATURE:
                raise Refused(400, "Expected `thinking` or `redacted_thinking`, but found `tool_use`.")


def openai_of(body: dict[str, Any], model: str, *, thinks: bool) -> dict[str, Any]:
    """The same request in OpenAI's form."""
    messages: list[dict[str, Any]] = []
    if system := body.get("system"):
        messages.append({"role": "system", "content": "\n".join(block["text"] for block in system if "text" in block)})
    for message in body["messages"]:
        messages += _messages(message)
    made: dict[str, Any] = {"model": model, "messages": messages}
    sampling = body.get("inferenceConfig") or {}
    for theirs, ours in {
        "maxTokens": "max_tokens", "temperature": "temperature", "topP": "top_p", "stopSequences": "stop",
    }.items():  # fmt: skip
        if theirs in sampling:
            made[ours] = sampling[theirs]
    if config := body.get("toolConfig"):
        made["tools"] = [{"type": "function", "function": _function(tool["toolSpec"])} for tool in config["tools"]]
        choice = config.get("toolChoice") or {"auto": {}}
        if "tool" in choice:
            made["tool_choice"] = {"type": "function", "function": choice["tool"]}
        else:
            made["tool_choice"] = "required" if "any" in choice else "auto"
    if form := (body.get("outputConfig") or {}).get("textFormat"):
        named = form["structure"]["jsonSchema"]
        schema = {"name": named.get("name", "x"), "schema": json.loads(named["schema"])}
        made["response_format"] = {"type": "json_schema", "json_schema": schema}
    if thinks:
        made["reasoning_effort"] = "high"
    return made


def _function(spec: dict[str, Any]) -> dict[str, Any]:
    return {"name": spec["name"], "parameters": spec["inputSchema"]["json"], "description": spec.get("description", "")}


def _messages(message: dict[str, Any]) -> list[dict[str, Any]]:
    found, parts, calls = [], [], []
    for block in message["content"]:
        if "text" in block:
            parts.append({"type": "text", "text": block["text"]})
        elif "image" in block:
            parts.append({"type": "image_url", "image_url": {"url": "data:"}})
        elif "document" in block:
            parts.append({"type": "file", "file": {"file_data": "x"}})
        elif "audio" in block:
            parts.append({"type": "input_audio", "input_audio": {"data": "x", "format": "wav"}})
        elif "toolUse" in block:
            use = block["toolUse"]
            function = {"name": use["name"], "arguments": json.dumps(use["input"])}
            calls.append({"id": use["toolUseId"], "type": "function", "function": function})
        elif "toolResult" in block:
            result = block["toolResult"]
            text = "".join(part.get("text", "") for part in result["content"])
            found.append({"role": "tool", "tool_call_id": result["toolUseId"], "content": text})
    if calls:
        found.append({"role": "assistant", "content": parts or None, "tool_calls": calls})
    elif parts:
        found.append({"role": message["role"], "content": parts})
    return found


def usage_of(answer: Answer, cached: int) -> dict[str, int]:
    """cached: tokens of the prompt that were read from the cache."""
    counts = answer.whole["usage"]
    read, written = counts["prompt_tokens"] - cached, counts["completion_tokens"]
    usage = {"inputTokens": read, "outputTokens": written, "totalTokens": counts["total_tokens"]}
    return usage | ({"cacheReadInputTokens": cached, "cacheWriteInputTokens": 0} if cached else {})


def whole_of(answer: Answer, cached: int) -> dict[str, Any]:
    """The answer of Converse."""
    choice = answer.whole["choices"][0]
    message = choice["message"]
    content: list[dict[str, Any]] = []
    if thought := message.get("reasoning_content"):
        content.append({"reasoningContent": {"reasoningText": {"text": thought, "signature": SIGNATURE}}})
    if message["content"]:
        content.append({"text": message["content"]})
    for call in message.get("tool_calls") or ():
        arguments = json.loads(call["function"]["arguments"])
        use = {"toolUseId": call["id"], "name": call["function"]["name"], "input": arguments}
        content.append({"toolUse": use})
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": _ENDS[choice["finish_reason"]],
        "usage": usage_of(answer, cached),
        "metrics": {"latencyMs": 7},
    }


def events_of(answer: Answer, cached: int) -> list[tuple[str, dict[str, Any]]]:
    """The events of ConverseStream, by name."""
    events: list[tuple[str, dict[str, Any]]] = [("messageStart", {"role": "assistant"})]
    kind, index = "", -1

    def to(new: str) -> None:
        nonlocal kind, index
        if new != kind:
            if kind == "reasoning":
                signed = {"reasoningContent": {"signature": SIGNATURE}}
                events.append(("contentBlockDelta", {"contentBlockIndex": index, "delta": signed}))
            if kind:
                events.append(("contentBlockStop", {"contentBlockIndex": index}))
            kind, index = new, index + 1

    for event in answer.events:
        delta = event["choices"][0]["delta"]
        if text := delta.get("reasoning_content"):
            to("reasoning")
            said = {"reasoningContent": {"text": text}}
            events.append(("contentBlockDelta", {"contentBlockIndex": index, "delta": said}))
        if text := delta.get("content"):
            to("text")
            events.append(("contentBlockDelta", {"contentBlockIndex": index, "delta": {"text": text}}))
        for call in delta.get("tool_calls") or ():
            function = call["function"]
            if "id" in call:
                to(f"call {call['index']}")
                start = {"toolUse": {"toolUseId": call["id"], "name": function["name"]}}
                events.append(("contentBlockStart", {"contentBlockIndex": index, "start": start}))
            if function["arguments"] not in ("", "{}"):
                piece = {"toolUse": {"input": function["arguments"]}}
                events.append(("contentBlockDelta", {"contentBlockIndex": index, "delta": piece}))
    to("end")
    reason = _ENDS[answer.whole["choices"][0]["finish_reason"]]
    events.append(("messageStop", {"stopReason": reason}))
    return [*events, ("metadata", {"usage": usage_of(answer, cached), "metrics": {"latencyMs": 7}})]
