"""https://api-docs.deepseek.com/api/create-chat-completion and /guides/thinking_mode, read November 2026."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from runtime.conformance.inference.subject import OPENAI
from runtime.conformance.upstream import Endpoint, Habits, Refused, Upstream
from runtime.conformance.upstream.chat import chat
from runtime.conformance.upstream.texts import completion
from tests.conformance.inference.vendor import Vendor

UNREAD = frozenset(
    {
        "n", "seed", "logit_bias", "parallel_tool_calls", "frequency_penalty", "presence_penalty",
        "max_completion_tokens",
    }
)  # fmt: skip


def check(path: str, body: dict[str, Any]) -> None:
    if (body.get("response_format") or {}).get("type") == "json_schema":
        raise Refused(400, "This response_format type is unavailable now", param="response_format")
    thinks = (body.get("thinking") or {}).get("type") == "enabled"
    for message in body.get("messages", ()):
        if thinks and message.get("tool_calls") and not message.get("reasoning_content"):
            raise Refused(400, "Missing `reasoning_content` field in the assistant message")


class DeepSeek(Upstream):
    def endpoints(self) -> Mapping[str, Endpoint]:
        return {"/chat/completions": chat}

    def endpoint_at(self, path: str) -> Endpoint | None:
        return completion if path == "/beta/completions" else super().endpoint_at(path)


VENDOR = Vendor(
    make=partial(DeepSeek, Habits(check=check, unread_fields=UNREAD)),
    has=OPENAI - {"embeddings", "n", "seed", "json_schema"},
)
