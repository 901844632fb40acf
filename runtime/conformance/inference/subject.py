"""A provider under test, as a suite's module states it: `SUBJECTS = {"acme": Kind(make=..., abilities=TEXT)}`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from runtime.conformance.asgi import Client

TEXT = frozenset({"chat", "completions", "n", "seed", "stop", "logprobs", "limits", "lists"})
"""What a provider that runs a text model can do. lists: it knows which models there are."""
OPENAI = TEXT | {"embeddings", "embedding_usage", "tools", "tool_choice", "json_object", "json_schema"}
"""`tool_choice`: all its forms; without it a call cannot be required, only allowed."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A running stack with one provider.

    chat, embedding, reranker: ids of its models. ended: returns once nothing of an abandoned call is left running at
    the provider. hold, release: make streams wait after their first event, where that can be done. seen: the last
    request that reached the provider's upstream. lacks: abilities that only now are known to be missing, and why.
    is_random: whether its models have random weights, so that what they say has no meaning.
    """

    client: Client
    chat: str = ""
    embedding: str = ""
    reranker: str = ""
    is_random: bool = False
    lacks: Mapping[str, str] = field(default_factory=dict)
    seen: Callable[[], dict[str, Any]] | None = None
    hold: Callable[[], None] | None = None
    release: Callable[[], None] | None = None
    ended: Callable[[], Awaitable[None]] | None = None


async def within(waiting: Awaitable[Any]) -> None:
    """Fails the test for what does not come."""
    async with asyncio.timeout(20):
        await waiting
