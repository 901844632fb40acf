"""A whole answer of Gemini's as OpenAI's chat completion. https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse
(read November 2026)
"""

from __future__ import annotations

from runtime.apis.inference.sense import making_sense
from runtime.clock import stamp
from runtime.ids import new_id
from runtime.providers.inference._gemini.candidates import (
    blocked,
    end_of,
    logprobs_in,
    said_in,
    usage_in,
)
from runtime.providers.inference._gemini.grounding import annotations_in
from runtime.sse import Json


def completion_of(answer: Json, model: str, provider_id: str) -> Json:
    """Raises UpstreamError for an answer that makes no sense."""
    with making_sense(provider_id):
        if (refusal := blocked(answer)) is not None:
            message = {"role": "assistant", "content": None, "refusal": refusal}
            choices = [{"index": 0, "message": message, "logprobs": None, "finish_reason": "content_filter"}]
        else:
            choices = [_choice(candidate, place, provider_id) for place, candidate in enumerate(answer["candidates"])]
        made = head_of(answer, model) | {"object": "chat.completion", "choices": choices}
        usage = usage_in(answer)
        return made | ({"usage": usage} if usage else {})


def head_of(answer: Json, model: str) -> Json:
    """What an answer and each event of a streamed one have in common."""
    head: Json = {
        "id": f"chatcmpl-{answer['responseId']}" if answer.get("responseId") else new_id("chatcmpl-"),
        "created": int(stamp()),
        "model": model,
    }
    return head | ({"system_fingerprint": answer["modelVersion"]} if answer.get("modelVersion") else {})


def _choice(candidate: Json, place: int, provider_id: str) -> Json:
    said = said_in(candidate)
    text = "".join(said.text)
    message: Json = {"role": "assistant", "content": text or (None if said.calls else ""), "refusal": None}
    message |= said.fields()
    if said.calls:
        message["tool_calls"] = said.calls
    if annotations := annotations_in(candidate, text):
        message["annotations"] = annotations
    return {
        "index": candidate.get("index", place),
        "message": message,
        "logprobs": logprobs_in(candidate),
        "finish_reason": end_of(candidate, has_calls=bool(said.calls), provider_id=provider_id) or "stop",
    }
