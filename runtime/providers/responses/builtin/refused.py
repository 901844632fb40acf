"""What was refused, in conversations that are made shorter: without its refusal it would be asked again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def without_refused(messages: Iterable[Any]) -> list[Any]:
    """The messages of a chat without what a refusal alone follows; the refusals stay."""
    left: list[Any] = []
    for message in messages:
        if message.get("refusal") and not message.get("content") and not message.get("tool_calls"):
            while left and left[-1]["role"] in ("user", "tool"):
                left.pop()
        left.append(message)
    return left


def items_not_refused(items: Iterable[Any]) -> list[Any]:
    """The same of items: users' messages that a refusal alone follows, or more of them before that."""
    left: list[Any] = []
    for item in items:
        if item["type"] == "message" and item["role"] == "assistant" and _only_refuses(item["content"]):
            while left and left[-1]["type"] == "message" and left[-1]["role"] == "user":
                left.pop()
        left.append(item)
    return left


def _only_refuses(content: Any) -> bool:
    return bool(content) and not isinstance(content, str) and all(part["type"] == "refusal" for part in content)
