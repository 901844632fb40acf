"""One candidate of Gemini's answer, whole or the next piece of it, as OpenAI has a message and its end.

https://ai.google.dev/api/generate-content#candidate (read November 2026)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from runtime.apis.inference.calls import EXTRA, call_message
from runtime.errors import UpstreamError
from runtime.ids import new_id
from runtime.sse import Json, encode

_ENDS = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    **dict.fromkeys(
        (
            "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY",
            "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "MODEL_ARMOR",
        ),
        "content_filter",
    ),
}  # fmt: skip
_FAILED = (
    "MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS",
    "MISSING_THOUGHT_SIGNATURE",
)  # fmt: skip
"""Ends of answers that the model has spoilt, of which nothing is of use."""


@dataclass(kw_only=True)
class Said:
    """What is new. calls: in OpenAI's form. images: as `data:` addresses. signature: of the text, which goes back."""

    text: list[str] = field(default_factory=list)
    thought: list[str] = field(default_factory=list)
    calls: list[Json] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    signature: str | None = None

    def fields(self) -> Json:
        """What a message has beside its text and its calls."""
        made: Json = {}
        if self.thought:
            made["reasoning_content"] = "".join(self.thought)
        if self.images:
            made["images"] = [{"type": "image_url", "image_url": {"url": image}} for image in self.images]
        if self.signature:
            made[EXTRA] = _signed(self.signature)
        return made


def said_in(candidate: Json) -> Said:
    said = Said()
    for part in (candidate.get("content") or {}).get("parts") or ():
        signature = part.get("thoughtSignature")
        if call := part.get("functionCall"):
            arguments = encode(call.get("args") or {}).decode()
            extra = _signed(signature) if signature else None
            said.calls.append(call_message(call.get("id") or new_id("call_"), call["name"], arguments, extra))
            continue
        if part.get("thought"):
            said.thought.append(part.get("text") or "")
            continue
        said.signature = signature or said.signature
        if image := part.get("inlineData"):
            said.images.append(f"data:{image['mimeType']};base64,{image['data']}")
        else:
            said.text.append(_text(part))
    return said


def end_of(candidate: Json, *, has_calls: bool, provider_id: str) -> str | None:
    """OpenAI's finish reason; None before the end. Raises UpstreamError for an answer that the model has spoilt."""
    reason = candidate.get("finishReason")
    if reason in (None, "FINISH_REASON_UNSPECIFIED"):
        return None
    if reason in _FAILED:
        words = candidate.get("finishMessage") or reason
        raise UpstreamError(
            f"`{provider_id}` ended its answer with {reason}: {words}",
            provider_id=provider_id,
            code=reason.lower(),
            hint="ask again: the model has written something that is no valid answer",
        )
    end = _ENDS.get(reason, reason.lower())
    return "tool_calls" if has_calls and end == "stop" else end


def logprobs_in(candidate: Json) -> Json | None:
    """OpenAI's form of a piece's log-probabilities; None where there are none."""
    given = candidate.get("logprobsResult") or {}
    chosen = given.get("chosenCandidates")
    if not chosen:
        return None
    tops = given.get("topCandidates") or []
    content = []
    for place, token in enumerate(chosen):
        likely = tops[place].get("candidates") or [] if place < len(tops) else []
        content.append({**_logprob(token), "top_logprobs": [_logprob(one) for one in likely]})
    return {"content": content, "refusal": None}


def blocked(answer: Json) -> str | None:
    """Why the prompt was not answered at all; None where it was."""
    feedback = answer.get("promptFeedback") or {}
    if not feedback.get("blockReason"):
        return None
    words = feedback.get("blockReasonMessage")
    return f"The prompt was blocked: {feedback['blockReason']}{f' ({words})' if words else ''}"


def usage_in(answer: Json) -> Json | None:
    """OpenAI's counts: what is thought counts as written, what Google's tools have found as read."""
    given = answer.get("usageMetadata")
    if not given:
        return None
    thought = given.get("thoughtsTokenCount") or 0
    read = (given.get("promptTokenCount") or 0) + (given.get("toolUsePromptTokenCount") or 0)
    written = (given.get("candidatesTokenCount") or 0) + thought
    details: Json = {"cached_tokens": given.get("cachedContentTokenCount") or 0}
    if audio := _of_audio(given.get("promptTokensDetails")):
        details["audio_tokens"] = audio
    return {
        "prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written,
        "prompt_tokens_details": details, "completion_tokens_details": {"reasoning_tokens": thought},
    }  # fmt: skip


def _text(part: Json) -> str:
    """Also of what Google's tool for code has run, which OpenAI has no place for."""
    if code := part.get("executableCode"):
        return f"\n```{str(code.get('language') or '').lower()}\n{code.get('code') or ''}\n```\n"
    if result := part.get("codeExecutionResult"):
        return f"\n```\n{result.get('output') or ''}\n```\n"
    return part.get("text") or ""


def _signed(signature: str) -> Json:
    return {"google": {"thought_signature": signature}}


def _logprob(token: Json) -> Json:
    text = token.get("token") or ""
    return {"token": text, "logprob": token.get("logProbability", 0), "bytes": [*text.encode()]}


def _of_audio(details: Any) -> int:
    return sum(one.get("tokenCount") or 0 for one in details or () if one.get("modality") == "AUDIO")
