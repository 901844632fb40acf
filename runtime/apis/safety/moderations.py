"""OpenAI's moderations: https://platform.openai.com/docs/api-reference/moderations (read November 2026)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from runtime.apis._names import ResourceId
from runtime.apis._request import Request, Response, example
from runtime.apis.inference.messages import ImagePart, TextPart
from runtime.apis.safety.categories import by_category

MOST_INPUTS = 256
"""How many inputs one request may have: each is a call of the shield."""


def _form(value: Any) -> str:
    """Of the input: a text, a list of texts, or the parts of one."""
    if not isinstance(value, list):
        return "text"
    return "parts" if value and isinstance(value[0], dict) else "texts"


_Texts = Annotated[list[str], Field(min_length=1, max_length=MOST_INPUTS, fail_fast=True)]
_Part = Annotated[TextPart | ImagePart, Discriminator("type")]
_Parts = Annotated[list[_Part], Field(min_length=1, max_length=MOST_INPUTS, fail_fast=True)]
_Input = Annotated[
    Annotated[str, Tag("text")] | Annotated[_Texts, Tag("texts")] | Annotated[_Parts, Tag("parts")],
    Discriminator(_form),
]


class ModerationRequest(Request):
    """What to look at."""

    model_config = example(input="I want to hurt them", model="profanity")

    input: _Input = Field(
        description="A text; a list of texts, each with a result of its own; or one input of several parts, texts and"
        " images, with one result.",
    )
    model: ResourceId | None = Field(
        None,
        min_length=1,
        description="The shield. Default: `safety.default_shield_id` of the run config, else the only shield there is.",
    )


class ModerationResult(Response):
    """What the shield says of one input."""

    flagged: bool = Field(description="Whether it is harmful.")
    categories: dict[str, bool] = Field(
        description="Whether it is of each category: all of OpenAI's, and the shield's own.",
        json_schema_extra=by_category({"type": "boolean"}, "Whether it is this:"),
    )
    category_scores: dict[str, float] = Field(
        description="How sure the shield is of each, from 0 to 1.",
        json_schema_extra=by_category({"type": "number"}, "How sure the shield is of this, from 0 to 1:"),
    )
    category_applied_input_types: dict[str, list[str]] = Field(
        description="What was looked at for each: `text`, `image`; nothing where the shield cannot tell it.",
        json_schema_extra=by_category(
            {"type": "array", "items": {"type": "string", "enum": ["text", "image"]}}, "What was looked at for this:"
        ),
    )
    user_message: str | None = Field(None, description="What to tell whoever wrote it; null if it is not flagged.")
    metadata: dict[str, Any] = Field(default_factory=dict, description="What else the shield says. Default: nothing.")


class Moderation(Response):
    """What a shield says of every input, in their order."""

    id: str = Field(description="Of this moderation.")
    model: str = Field(description="The shield.")
    results: list[ModerationResult] = Field(description="One for each input.")
