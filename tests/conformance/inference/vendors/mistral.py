"""https://docs.mistral.ai/api/ and the vendor's client, read November 2026."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from runtime.conformance.inference.subject import OPENAI
from runtime.conformance.upstream import Answer, Endpoint, Habits, Refused, Upstream
from runtime.conformance.upstream.chat import chat
from tests.conformance.inference.vendor import Vendor
from tests.conformance.inference.vendors._checks import has

EXTRA = (
    "max_completion_tokens", "seed", "user", "stream_options", "logprobs", "top_logprobs", "metadata", "store",
    "dimensions", "messages[].name", "messages[].reasoning_content", "messages[].refusal", "functions", "function_call",
)  # fmt: skip
LIMITS = {"x-ratelimit-limit-req-minute": "360", "x-ratelimit-tokens-query-cost": "112"}


def check(path: str, body: dict[str, Any]) -> None:
    if body.get("reasoning_effort") not in (None, "high", "none"):
        raise Refused(422, "reasoning_effort", code="invalid_enum")
    for name in EXTRA:
        if has(body, name):
            raise Refused(422, name, code="extra_forbidden")


def error(refused: Refused) -> dict[str, Any]:
    facts = {"object": "error", "type": refused.type, "param": refused.param, "code": refused.code}
    if refused.code != "extra_forbidden":
        return {**facts, "message": refused.message}
    detail = {"type": refused.code, "loc": ["body", refused.message], "msg": "Extra inputs are not permitted"}
    return {**facts, "message": {"detail": [detail]}}


def in_parts(body: dict[str, Any], habits: Habits) -> Answer:
    """What is thought comes as a part of the content."""
    answer = chat(body, habits)
    for one in (answer.whole, *answer.events):
        for choice in one["choices"]:
            message = choice.get("message") or choice.get("delta")
            thought = message.pop("reasoning_content", None)
            if thought is not None:
                parts: list[Any] = [{"type": "thinking", "thinking": [{"type": "text", "text": thought}]}]
                text = message.get("content")
                message["content"] = [*parts, {"type": "text", "text": text}] if text else parts
    return answer


class Mistral(Upstream):
    def endpoints(self) -> Mapping[str, Endpoint]:
        return {**super().endpoints(), "/chat/completions": in_parts}


VENDOR = Vendor(
    make=partial(Mistral, Habits(usage="always", error=error, check=check, headers=LIMITS)),
    has=OPENAI - {"completions", "logprobs", "seed"},
)
