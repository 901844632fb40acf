"""https://platform.moonshot.ai/docs/api/chat, read November 2026."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from runtime.conformance.inference.subject import OPENAI
from runtime.conformance.upstream import Endpoint, Habits, Refused, Upstream
from tests.conformance.inference.vendor import Vendor
from tests.conformance.inference.vendors._checks import NEWER


def check(path: str, body: dict[str, Any]) -> None:
    if body.get("tool_choice") == "required":
        raise Refused(400, "tool_choice 'required' is not supported")
    if body.get("reasoning_effort") == "none":
        raise Refused(400, "reasoning_effort 'none' is not supported, use thinking")
    if "functions" in body:
        raise Refused(400, "functions is deprecated, use tools")


class Moonshot(Upstream):
    def endpoints(self) -> Mapping[str, Endpoint]:
        return {"/chat/completions": super().endpoints()["/chat/completions"]}


VENDOR = Vendor(
    make=partial(Moonshot, Habits(check=check, unread_fields=NEWER | {"max_completion_tokens"})),
    has=OPENAI - {"completions", "embeddings", "tool_choice"},
)
