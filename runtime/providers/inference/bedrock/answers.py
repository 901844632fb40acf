"""An answer of Converse as OpenAI's chat completion.
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseResponseSyntax.html (read November 2026)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runtime.apis.inference.sense import making_sense
from runtime.clock import stamp
from runtime.context import warn
from runtime.ids import new_id
from runtime.providers.inference._answer_tool import ANSWER_TOOL
from runtime.providers.inference.bedrock.conversation import KEPT
from runtime.sse import Json, encode

_ENDS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
}
"""Bedrock's reasons and OpenAI's; others are passed on: OpenAI has no word for an answer that went wrong."""


def head_of(model: str) -> Json:
    """What an answer and each chunk of a streamed one have in common. model: by the name in the request."""
    return {"id": new_id("chatcmpl-"), "created": int(stamp()), "model": model}


def end_of(reason: str, *, as_tool: bool) -> str:
    """as_tool: whether the tool that was called stands for the answer."""
    return "stop" if as_tool and reason == "tool_use" else _ENDS.get(reason, reason)


def usage_of(counts: Json) -> Json:
    """Bedrock counts what it read from its cache, and what it wrote there, apart from the rest of the prompt.
    https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html
    """
    cached, kept = counts.get("cacheReadInputTokens") or 0, counts.get("cacheWriteInputTokens") or 0
    read = counts["inputTokens"] + cached + kept
    written = counts["outputTokens"]
    usage: Json = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
    if cached or kept:
        usage["prompt_tokens_details"] = {"cached_tokens": cached, **({"cache_write_tokens": kept} if kept else {})}
    return usage


def call_of(use: Json, arguments: str, reasoning: Sequence[Json]) -> Json:
    """A call of a tool. reasoning: the blocks before it, which are kept with it where they are signed."""
    call: Json = {
        "id": use["toolUseId"],
        "type": "function",
        "function": {"name": use["name"], "arguments": arguments},
    }
    return call | ({"extra_content": {KEPT: {"reasoning": list(reasoning)}}} if _has_to_come_back(reasoning) else {})


def completion_of(answer: Json, model: str, provider_id: str) -> Json:
    """Raises UpstreamError for an answer that makes no sense."""
    with making_sense(provider_id):
        return _completion(answer, model, provider_id)


def _completion(answer: Json, model: str, provider_id: str) -> Json:
    text: list[str] = []
    thought: list[str] = []
    reasoning: list[Json] = []
    calls: list[Json] = []
    is_form = False
    for block in answer["output"]["message"]["content"]:
        if "text" in block:
            text.append(block["text"])
        elif "reasoningContent" in block:
            reasoning.append(block["reasoningContent"])
            thought.append((block["reasoningContent"].get("reasoningText") or {}).get("text") or "")
        elif "citationsContent" in block:
            text += [part["text"] for part in block["citationsContent"].get("content") or () if "text" in part]
        elif "toolUse" not in block:
            warn(f"left out of the answer: `{next(iter(block), '')}`, which `{provider_id}` sent beside its text")
        elif block["toolUse"]["name"] == ANSWER_TOOL:
            is_form = True
            text = [encode(block["toolUse"]["input"]).decode()]
        else:
            arguments = encode(block["toolUse"]["input"]).decode()
            calls.append(call_of(block["toolUse"], arguments, () if calls else reasoning))
    said = "".join(text)
    message: Json = {"role": "assistant", "content": said or (None if calls else ""), "refusal": None}
    if any(thought):
        message["reasoning_content"] = "".join(thought)
    if calls:
        message["tool_calls"] = calls
    end = end_of(answer["stopReason"], as_tool=is_form)
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": end}
    return {**head_of(model), "object": "chat.completion", "choices": [choice], "usage": usage_of(answer["usage"])}


def _has_to_come_back(reasoning: Sequence[Json]) -> bool:
    return any(_is_signed(block) for block in reasoning)


def _is_signed(block: Any) -> bool:
    return "redactedContent" in block or bool((block.get("reasoningText") or {}).get("signature"))
