"""https://openrouter.ai/docs/api-reference/overview and the vendor's client, read November 2026."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from runtime.conformance.inference.subject import OPENAI
from runtime.conformance.upstream import Answer, Endpoint, Habits, Refused, Upstream
from runtime.conformance.upstream.chat import chat
from tests.conformance.inference.vendor import Vendor


def error(refused: Refused) -> dict[str, Any]:
    return {"error": {"code": refused.status, "message": refused.message, "metadata": {"provider_name": "acme"}}}


def with_details(body: dict[str, Any], habits: Habits) -> Answer:
    answer = chat(body, habits)
    answer.whole["usage"]["cost"] = 0.00014
    for choice in answer.whole["choices"]:
        if thought := choice["message"].get("reasoning"):
            choice["message"]["reasoning_details"] = [{"type": "reasoning.text", "text": thought, "index": 0}]
    return answer


class OpenRouter(Upstream):
    def endpoints(self) -> Mapping[str, Endpoint]:
        return {**super().endpoints(), "/chat/completions": with_details}


VENDOR = Vendor(
    make=partial(OpenRouter, Habits(root="/api/v1", reasoning_field="reasoning", usage="always", error=error)),
    has=OPENAI - {"limits"} | {"rerank"},
)
