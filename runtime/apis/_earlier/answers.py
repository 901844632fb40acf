"""What a model's answers are made of, as llama-stack before 0.4 has them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from runtime.apis._earlier.messages import EarlierToolCall
from runtime.apis._request import Response


class TokenLogProbs(Response):
    """What could have stood in one place of the answer."""

    logprobs_by_token: dict[str, float] = Field(
        description="The natural log-probability of each token that was asked for, by its text."
    )


class Metric(Response):
    """A number about an answer."""

    metric: str = Field(description="`prompt_tokens`, `completion_tokens` or `total_tokens`.")
    value: int | float = Field(description="The number.")
    unit: str | None = Field(None, description="Its unit: `tokens`.")


class TextDelta(Response):
    """Text that is new."""

    type: Literal["text"] = "text"
    text: str = Field(description="The text.")


class ToolCallDelta(Response):
    """What is new of a call of a tool."""

    type: Literal["tool_call"] = "tool_call"
    tool_call: str | EarlierToolCall = Field(
        description="What the model has newly written of the arguments; at the end the whole call."
    )
    parse_status: Literal["started", "in_progress", "failed", "succeeded"] = Field(
        description="How far it is; `failed` where the arguments are no JSON object."
    )


ContentDelta = Annotated[TextDelta | ToolCallDelta, Field(discriminator="type")]
