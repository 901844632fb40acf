"""Kinds of tools that OpenAI has and this server does not."""

from __future__ import annotations

from runtime.apis.responses.tools.elsewhere import KIND, ToolElsewhere
from runtime.errors import NotSupported
from runtime.providers.responses.builtin.offering import Asked, Offer, ToolHandler


async def offer(given: ToolElsewhere, where: str, asked: Asked) -> Offer:
    """See `Offering`. Raises NotSupported."""
    raise NotSupported(
        f"`{where}` is `{given['type']}`, which nothing here can do",
        hint="leave it out, or run it yourself as a `function`",
        param="tools",
    )


TOOL = ToolHandler(kind=KIND, offer=offer)
