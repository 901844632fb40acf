"""What a shield is asked and what it says, whoever asks it and by whichever door."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from runtime.apis._names import ResourceId
from runtime.apis._request import AT_ONCE, Request, Response
from runtime.apis.inference.messages import ChatMessage

ViolationLevel = Literal["info", "warn", "error"]


class AssessRequest(Request):
    """A conversation to be looked at."""

    shield_id: ResourceId = Field(min_length=1, description="The shield.")
    messages: Annotated[list[ChatMessage], AT_ONCE] = Field(
        min_length=1, description="The conversation, oldest message first; the last one is what is judged."
    )
    params: dict[str, Any] | None = Field(
        None, description="What the shield is told for this once, over what it was registered with. Default: nothing."
    )

    def told(self) -> dict[str, Any]:
        """What the shield is told: what it was registered with, and over that what this request says."""
        registered = self.resource.facts.get("params") if self.resource is not None else None
        return {**(registered or {}), **(self.params or {})}


class Assessment(Response):
    """What a shield says of a conversation's last message."""

    flagged: bool = Field(description="Whether it is harmful, by this shield.")
    violation_level: ViolationLevel = Field(
        "error", description="How bad it is; `error` is to be stopped, the others are to be noted. Default: `error`."
    )
    user_message: str | None = Field(
        None, description="What to tell whoever wrote or asked for it; null if it is not flagged."
    )
    categories: dict[str, bool] = Field(
        default_factory=dict,
        description="Whether it is of each category that the shield can tell, by OpenAI's name and by the shield's own."
        " Default: none.",
    )
    category_scores: dict[str, float] = Field(
        default_factory=dict, description="How sure the shield is of each, from 0 to 1. Default: none."
    )
    category_applied_input_types: dict[str, list[str]] = Field(
        default_factory=dict, description="What was looked at for each: `text`, `image`. Default: none."
    )
    metadata: dict[str, Any] = Field(
        default_factory=dict, description="What else the shield says, such as `violation_type`. Default: nothing."
    )
