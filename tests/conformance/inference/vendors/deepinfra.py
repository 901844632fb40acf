"""https://deepinfra.com/docs/openai_api and the pages of its reranking models, read November 2026."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from runtime.conformance.inference.subject import OPENAI
from runtime.conformance.upstream import Answer, Endpoint, Habits, Refused, Upstream
from runtime.conformance.upstream.error_shapes import details
from runtime.conformance.upstream.texts import scores_of
from tests.conformance.inference.vendor import Vendor

INFERENCE = "/v1/inference/"


def check(path: str, body: dict[str, Any]) -> None:
    if body.get("tool_choice") not in (None, "auto", "none"):
        raise Refused(422, "Only `auto` and `none` are allowed", param="tool_choice")


def scored(body: dict[str, Any], habits: Habits) -> Answer:
    (query,) = body["queries"]
    return Answer(whole={"scores": scores_of(query, body["documents"]), "input_tokens": 7})


class DeepInfra(Upstream):
    def endpoints(self) -> Mapping[str, Endpoint]:
        known = super().endpoints()
        return {path: known[path] for path in known if path != "/rerank"}

    def endpoint_at(self, path: str) -> Endpoint | None:
        return scored if path.removeprefix(INFERENCE) in self.models else super().endpoint_at(path)


HABITS = Habits(
    root="/v1/openai",
    usage="always",
    check=check,
    unread_fields=frozenset({"max_completion_tokens"}),
    error=details,
)
VENDOR = Vendor(
    make=partial(DeepInfra, HABITS),
    has=(OPENAI | {"rerank"}) - {"limits", "tool_choice"},  # its errors have no code
)
