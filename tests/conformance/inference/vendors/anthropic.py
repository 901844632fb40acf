"""https://docs.claude.com/en/api/openai-sdk and /en/api/models-list, read November 2026."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from aiohttp import web

from runtime.conformance.upstream import Endpoint, Habits, Upstream
from runtime.conformance.upstream.chat import chat
from tests.conformance.inference.vendor import Vendor
from tests.conformance.inference.vendors._checks import one_answer

UNREAD = frozenset({
    "seed", "logprobs", "top_logprobs", "logit_bias", "frequency_penalty", "presence_penalty", "user", "metadata",
    "store", "service_tier", "prediction", "modalities", "audio", "reasoning_effort", "response_format",
})  # fmt: skip
LIMITS = {"anthropic-ratelimit-requests-limit": "4000", "anthropic-ratelimit-tokens-remaining": "399000"}


def check(path: str, body: dict[str, Any]) -> None:
    one_answer(body)


class Anthropic(Upstream):
    def endpoints(self) -> Mapping[str, Endpoint]:
        return {"/chat/completions": chat}

    def allows(self, request: web.Request) -> bool:
        if request.method == "GET":
            return request.headers.get("x-api-key") == self.key and "anthropic-version" in request.headers
        return super().allows(request) and "x-api-key" not in request.headers

    def listed(self) -> Any:
        models = [
            {"type": "model", "id": name, "display_name": name.title(), "created_at": "2026-02-04T00:00:00Z"}
            for name in self.models
        ]
        return {"data": models, "has_more": False, "first_id": self.models[0], "last_id": self.models[-1]}


VENDOR = Vendor(
    make=partial(Anthropic, Habits(reasoning_field=None, check=check, unread_fields=UNREAD, headers=LIMITS)),
    has=frozenset({"chat", "limits", "tools"}),
)
