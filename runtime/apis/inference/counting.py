"""How many tokens a chat is for a model."""

from __future__ import annotations

from pydantic import Field

from runtime.apis._request import Response


class TokenCount(Response):
    """What a model would read."""

    tokens: int | None = Field(
        description="The tokens of the prompt, by the model's own tokenizer; null where its provider cannot count them."
    )
