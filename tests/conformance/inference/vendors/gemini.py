"""https://ai.google.dev/gemini-api/docs/openai, and what users of it report, read November 2026."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from runtime.conformance.inference.subject import OPENAI
from runtime.conformance.upstream import Answer, Endpoint, Habits, Refused, Upstream
from runtime.conformance.upstream.texts import embeddings
from tests.conformance.inference.vendor import Vendor
from tests.conformance.inference.vendors._checks import has

UNKNOWN = (
    "seed", "frequency_penalty", "presence_penalty", "top_k", "reasoning", "user", "store", "metadata", "service_tier",
    "verbosity", "functions", "function_call", "messages[].reasoning_content", "messages[].refusal",
    "messages[].annotations",
)  # fmt: skip


def check(path: str, body: dict[str, Any]) -> None:
    for name in UNKNOWN:
        if has(body, name):
            raise Refused(400, f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.')
    if path == "/embeddings" and not isinstance(body["input"], str) and not isinstance(body["input"][0], str):
        raise Refused(400, "Request contains an invalid argument.")


def in_a_list(refused: Refused) -> list[Any]:
    status = {401: "UNAUTHENTICATED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED"}.get(
        refused.status, "INVALID_ARGUMENT"
    )
    return [{"error": {"code": refused.status, "message": refused.message, "status": status}}]


def uncounted(body: dict[str, Any], habits: Habits) -> Answer:
    whole = embeddings(body, habits).whole
    del whole["usage"]
    return Answer(whole=whole)


class Gemini(Upstream):
    def endpoints(self) -> Mapping[str, Endpoint]:
        known = super().endpoints()
        return {"/chat/completions": known["/chat/completions"], "/embeddings": uncounted}

    def listed(self) -> Any:
        return {"object": "list", "data": [{"id": f"models/{name}", "object": "model"} for name in self.models]}


VENDOR = Vendor(
    make=partial(Gemini, Habits(root="/v1beta/openai", error=in_a_list, check=check)),
    has=OPENAI - {"completions", "embedding_usage", "seed", "limits"},
)
