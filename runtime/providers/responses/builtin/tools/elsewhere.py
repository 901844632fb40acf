"""Kinds of tools that OpenAI has and this server does not."""

from __future__ import annotations

from runtime.errors import NotSupported
from runtime.providers.responses.builtin.offering import Asked, Offer
from runtime.sse import Json


async def offer(given: Json, where: str, asked: Asked) -> Offer:
    """See `toolbox.Offering`. Raises NotSupported."""
    raise NotSupported(
        f"`{where}` is `{given['type']}`, which nothing here can do",
        hint="leave it out, or run it yourself as a `function`",
        param="tools",
    )
