"""https://docs.cohere.com/docs/compatibility-api and https://docs.cohere.com/reference/rerank, read November 2026."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from runtime.conformance.inference.subject import OPENAI
from runtime.conformance.upstream import CHAT_MODEL, EMBEDDING_MODEL, Endpoint, Habits, Refused, Upstream
from runtime.conformance.upstream.error_shapes import message_and_id
from runtime.conformance.upstream.texts import rerank
from tests.conformance.inference.vendor import Vendor

UNSUPPORTED = {
    "/chat/completions": {
        *("store", "metadata", "logit_bias", "top_logprobs", "logprobs", "n", "modalities", "prediction", "audio"),
        *("service_tier", "parallel_tool_calls", "max_completion_tokens"),
    },
    "/embeddings": {"dimensions", "user", "input_type"},
}


def check(path: str, body: dict[str, Any]) -> None:
    for name in UNSUPPORTED.get(path, set()) & body.keys():
        raise Refused(400, f"{name} is not supported", param=name)
    if body.get("reasoning_effort") not in (None, "none", "high"):
        raise Refused(400, "reasoning_effort must be none or high")


class Cohere(Upstream):
    def endpoints(self) -> Mapping[str, Endpoint]:
        known = super().endpoints()
        return {path: known[path] for path in ("/chat/completions", "/embeddings")}

    def endpoint_at(self, path: str) -> Endpoint | None:
        return rerank if path == "/v2/rerank" else super().endpoint_at(path)

    def listed(self) -> Any:
        """https://docs.cohere.com/reference/list-models"""
        kinds = {CHAT_MODEL: "chat", EMBEDDING_MODEL: "embed"}
        return {"models": [{"name": name, "endpoints": [kinds.get(name, "rerank")]} for name in self.models]}


VENDOR = Vendor(
    make=partial(Cohere, Habits(root="/compatibility/v1", models_path="/v1/models", check=check, error=message_and_id)),
    has=(OPENAI | {"rerank"}) - {"completions", "n", "logprobs", "limits"},  # its errors have no code
)
