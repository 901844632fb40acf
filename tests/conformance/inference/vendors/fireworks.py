"""https://docs.fireworks.ai/api-reference/post-chatcompletions and the vendor's client, read November 2026."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from runtime.conformance.inference.subject import OPENAI
from runtime.conformance.upstream import Answer, Endpoint, Habits, Refused, Upstream
from runtime.conformance.upstream.texts import rerank
from tests.conformance.inference.vendor import Vendor
from tests.conformance.inference.vendors._checks import refuse

UNKNOWN = (
    "store", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "verbosity",
    "web_search_options", "modalities", "audio", "messages[].refusal", "messages[].annotations",
)  # fmt: skip
LIMITS = {"x-ratelimit-limit-tokens-prompt": "60000", "x-ratelimit-limit-tokens-generated": "6000"}


def check(path: str, body: dict[str, Any]) -> None:
    refuse(body, UNKNOWN, words="Extra inputs are not permitted")
    if "max_tokens" in body and "max_completion_tokens" in body:
        raise Refused(400, "max_tokens and max_completion_tokens cannot both be set")
    if path == "/embeddings":
        refuse(body, ("user", "encoding_format"), words="Extra inputs are not permitted")


def error(refused: Refused) -> dict[str, Any]:
    return {"error": {"object": "error", "type": refused.type, "code": refused.code, "message": refused.message}}


def reranked(body: dict[str, Any], habits: Habits) -> Answer:
    whole = rerank(body, habits).whole
    whole["data"] = whole.pop("results")
    return Answer(whole=whole)


class Fireworks(Upstream):
    def endpoints(self) -> Mapping[str, Endpoint]:
        return {**super().endpoints(), "/rerank": reranked}


VENDOR = Vendor(
    make=partial(Fireworks, Habits(root="/inference/v1", usage="always", error=error, check=check, headers=LIMITS)),
    has=OPENAI | {"rerank"},
)
