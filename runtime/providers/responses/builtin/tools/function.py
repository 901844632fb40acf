"""`function`: what the caller runs."""

from __future__ import annotations

from runtime.providers.responses.builtin.offering import Asked, Function, Offer
from runtime.sse import Json


async def offer(given: Json, where: str, asked: Asked) -> Offer:
    """See `toolbox.Offering`. Chat completions take no null, with which OpenAI's clients fill up members here."""
    definition = {name: value for name, value in given.items() if name not in ("type", "name") and value is not None}
    return Offer(functions=[Function(kind="function", name=given["name"], definition=definition)])
