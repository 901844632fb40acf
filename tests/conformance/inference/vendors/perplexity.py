"""https://docs.perplexity.ai/api-reference/chat-completions-post and /embeddings-post, read November 2026."""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping
from functools import partial
from typing import Any

from runtime.conformance.upstream import CHAT_MODEL, EMBEDDING_MODEL, Answer, Endpoint, Habits, Refused, Upstream
from runtime.conformance.upstream.chat import chat
from runtime.conformance.upstream.texts import embeddings
from tests.conformance.inference.vendor import Vendor
from tests.conformance.inference.vendors._checks import refuse

REFUSED = (
    "max_completion_tokens", "stop", "seed", "logit_bias", "logprobs", "top_logprobs", "tools", "tool_choice",
    "parallel_tool_calls", "service_tier",
)  # fmt: skip


def check(path: str, body: dict[str, Any]) -> None:
    refuse(body, REFUSED)
    if path == "/v1/embeddings" and not isinstance(body["input"], str) and not isinstance(body["input"][0], str):
        raise Refused(400, "input must be a string or a list of strings")
    if body.get("encoding_format") not in (None, "base64_int8", "base64_binary"):
        raise Refused(400, "encoding_format must be base64_int8 or base64_binary")
    if (body.get("response_format") or {}).get("type") == "json_object":
        raise Refused(400, "response_format must be text or json_schema", param="response_format")


def error(refused: Refused) -> dict[str, Any]:
    return {"error": {"message": refused.message, "type": refused.type, "code": refused.status}}


def searched(body: dict[str, Any], habits: Habits) -> Answer:
    answer = chat(body, habits)
    answer.whole.update({"citations": ["https://example.com/"], "search_results": [{"url": "https://example.com/"}]})
    answer.whole["usage"] |= {"citation_tokens": 7, "num_search_queries": 1}
    return answer


def in_whole_numbers(body: dict[str, Any], habits: Habits) -> Answer:
    """Vectors as base64 of signed bytes."""
    whole = embeddings(body, habits).whole
    for entry in whole["data"]:
        numbers = [round(127 * number) for number in entry["embedding"]]
        entry["embedding"] = base64.b64encode(struct.pack(f"{len(numbers)}b", *numbers)).decode()
    return Answer(whole=whole)


class Perplexity(Upstream):
    def endpoints(self) -> Mapping[str, Endpoint]:
        return {"/chat/completions": searched, "/v1/embeddings": in_whole_numbers}

    def listed(self) -> Any:
        raise Refused(404, "Not Found")


VENDOR = Vendor(
    make=partial(Perplexity, Habits(root="", reasoning_field=None, error=error, check=check)),
    has=frozenset({"chat", "embeddings", "embedding_usage", "json_object", "json_schema"}),
    config={"allowed_models": [CHAT_MODEL, EMBEDDING_MODEL]},
)
