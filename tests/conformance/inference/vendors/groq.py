"""https://console.groq.com/docs/openai and /docs/rate-limits, read November 2026."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from runtime.conformance.inference.subject import OPENAI
from runtime.conformance.upstream import Answer, Endpoint, Habits, Refused, Upstream
from runtime.conformance.upstream.chat import chat
from tests.conformance.inference.vendor import Vendor
from tests.conformance.inference.vendors._checks import one_answer, refuse

LIMITS = {"x-ratelimit-limit-requests": "14400", "x-ratelimit-remaining-tokens": "5997"}


def check(path: str, body: dict[str, Any]) -> None:
    refuse(body, ("logprobs", "top_logprobs", "logit_bias", "messages[].name", "messages[].reasoning_content"))
    one_answer(body)
    if body.get("stream") and (body.get("response_format") or {}).get("type") in ("json_object", "json_schema"):
        raise Refused(400, "response_format is not supported with streaming", param="response_format")


def with_usage_twice(body: dict[str, Any], habits: Habits) -> Answer:
    answer = chat(body, habits)
    answer.events[-1]["x_groq"] = {"id": "req_1", "usage": answer.whole["usage"]}
    return answer


class Groq(Upstream):
    def endpoints(self) -> Mapping[str, Endpoint]:
        return {"/chat/completions": with_usage_twice}


VENDOR = Vendor(
    make=partial(Groq, Habits(root="/openai/v1", reasoning_field="reasoning", check=check, headers=LIMITS)),
    has=OPENAI - {"completions", "embeddings", "n", "logprobs"},
)
