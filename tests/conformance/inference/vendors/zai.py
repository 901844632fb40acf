"""https://docs.z.ai/api-reference/llm/chat-completion, read November 2026."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from runtime.conformance.inference.subject import OPENAI
from runtime.conformance.upstream import Endpoint, Habits, Refused, Upstream
from tests.conformance.inference.vendor import Vendor
from tests.conformance.inference.vendors._checks import NEWER


def check(path: str, body: dict[str, Any]) -> None:
    if body.get("tool_choice") not in (None, "auto"):
        raise Refused(400, "tool_choice only supports auto")
    if (body.get("response_format") or {}).get("type") not in (None, "text", "json_object"):
        raise Refused(400, "response_format.type only supports text and json_object")


class Zai(Upstream):
    def endpoints(self) -> Mapping[str, Endpoint]:
        return {"/chat/completions": super().endpoints()["/chat/completions"]}


UNREAD = NEWER | frozenset({"max_completion_tokens", "frequency_penalty", "presence_penalty"})
VENDOR = Vendor(
    make=partial(Zai, Habits(root="/api/paas/v4", check=check, unread_fields=UNREAD)),
    has=OPENAI - {"completions", "embeddings", "json_schema", "lists", "tool_choice"},
    registered=frozenset({"llm"}),
)
