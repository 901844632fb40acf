"""https://docs.perplexity.ai/api-reference/chat-completions-post, read November 2026."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from tests.conformance.inference.vendor import Vendor
from tests.conformance.inference.vendors._checks import refuse
from tests.support.upstream import CHAT_MODEL, Answer, Endpoint, Habits, Refused, Upstream
from tests.support.upstream.chat import chat

REFUSED = (
    "max_completion_tokens", "stop", "seed", "logit_bias", "logprobs", "top_logprobs", "tools", "tool_choice",
    "parallel_tool_calls", "service_tier",
)  # fmt: skip


def check(path: str, body: dict[str, Any]) -> None:
    refuse(body, REFUSED)
    if (body.get("response_format") or {}).get("type") == "json_object":
        raise Refused(400, "response_format must be text or json_schema", param="response_format")


def error(refused: Refused) -> dict[str, Any]:
    return {"error": {"message": refused.message, "type": refused.type, "code": refused.status}}


def searched(body: dict[str, Any], habits: Habits) -> Answer:
    answer = chat(body, habits)
    answer.whole.update({"citations": ["https://example.com/"], "search_results": [{"url": "https://example.com/"}]})
    answer.whole["usage"] |= {"citation_tokens": 7, "num_search_queries": 1}
    return answer


class Perplexity(Upstream):
    def endpoints(self) -> Mapping[str, Endpoint]:
        return {"/chat/completions": searched}

    def listed(self) -> Any:
        raise Refused(404, "Not Found")


VENDOR = Vendor(
    make=partial(Perplexity, Habits(root="", reasoning_field=None, error=error, check=check)),
    has=frozenset({"chat", "json_object", "json_schema"}),
    config={"allowed_models": [CHAT_MODEL]},
)
