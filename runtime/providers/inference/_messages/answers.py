"""A whole answer of Messages as OpenAI's chat completion. https://platform.claude.com/docs/en/api/messages/create
(read November 2026)
"""

from __future__ import annotations

from runtime.apis.inference.calls import EXTRA, call_message
from runtime.apis.inference.sense import making_sense
from runtime.providers.inference._messages.kept import Kept
from runtime.providers.inference._messages.said import (
    annotations_of,
    counts_in,
    end_of,
    head_of,
    refusal_in,
    usage_of,
)
from runtime.sse import Json, encode


def completion_of(answer: Json, model: str, provider_id: str, *, has_answer_tool: bool) -> Json:
    """model: by the name in the request. has_answer_tool: whether a tool stood for the form of the answer. Raises
    UpstreamError for an answer that makes no sense.
    """
    with making_sense(provider_id):
        message = _message(answer, has_answer_tool=has_answer_tool)
        end = end_of(answer["stop_reason"], as_tool=has_answer_tool)
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": end}
        made = {**head_of(answer, model), "object": "chat.completion", "choices": [choice]}
        return made | {"usage": usage_of(counts_in(answer["usage"]))}


def _message(answer: Json, *, has_answer_tool: bool) -> Json:
    text, thought = "", ""
    calls: list[Json] = []
    annotations: list[Json] = []
    kept = Kept()
    for block in answer["content"]:
        kind = block["type"]
        if kind == "text":
            begun, text = len(text), text + block["text"]
            kept.add_text(len(block["text"]))
            annotations += annotations_of(block.get("citations") or (), begun, len(text))
        elif kind == "tool_use":
            arguments = encode(block["input"]).decode()
            if has_answer_tool:
                text += arguments
            else:
                calls.append(call_message(block["id"], block["name"], arguments, kept.take()))
        else:
            thought += block.get("thinking") or ""
            kept.add(block)
    message: Json = {"role": "assistant", "content": text or (None if calls else ""), "refusal": refusal_in(answer)}
    found = {"reasoning_content": thought, "tool_calls": calls, "annotations": annotations, EXTRA: kept.take()}
    return message | {name: value for name, value in found.items() if value}
