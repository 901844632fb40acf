"""How tokens are drawn and what form an answer has, as llama-stack before 0.4 has it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from runtime.apis._json_schema import JsonSchema
from runtime.apis._request import AT_ONCE, Request


class GreedySampling(Request):
    """The likeliest token each time."""

    type: Literal["greedy"]


class TopPSampling(Request):
    """One of the likeliest tokens that have a share of the probability together."""

    type: Literal["top_p"]
    temperature: float | None = Field(
        None, gt=0, le=2, description="The smaller, the more the likeliest are preferred. Default: the provider's."
    )
    top_p: float | None = Field(0.95, ge=0, le=1, description="The share, from 0 to 1. The default is 0.95.")


class TopKSampling(Request):
    """One of the k likeliest tokens."""

    type: Literal["top_k"]
    top_k: int = Field(ge=1, description="How many.")


class SamplingParams(Request):
    """How an answer is chosen."""

    strategy: Annotated[GreedySampling | TopPSampling | TopKSampling, Field(discriminator="type")] = Field(
        default_factory=lambda: GreedySampling(type="greedy"),
        description="How each token is drawn. The default is `greedy`.",
    )
    max_tokens: int | None = Field(
        None, ge=0, description="The longest answer, in tokens; 0 and null leave it to the provider. Default: null."
    )
    repetition_penalty: float | None = Field(
        None,
        gt=0,
        description="Above 1, what the text has already becomes less likely; passed on to providers that know it."
        " Default: 1, which changes nothing.",
    )
    stop: Annotated[list[str], AT_ONCE] | None = Field(
        None, description="Strings at which the answer ends; they are not part of it. Default: none."
    )


class JsonSchemaFormat(Request):
    """JSON that matches a schema."""

    type: Literal["json_schema"]
    json_schema: JsonSchema = Field(description="The schema.")


class GrammarFormat(Request):
    """Text of a grammar. Refused: no provider here takes one."""

    type: Literal["grammar"]
    bnf: dict[str, Any] = Field(description="The grammar.")


EarlierResponseFormat = Annotated[JsonSchemaFormat | GrammarFormat, Field(discriminator="type")]


class LogProbConfig(Request):
    """What is told of the tokens' probabilities."""

    top_k: int | None = Field(
        0, ge=0, le=20, description="How many of the likeliest tokens to tell in each place. The default is 0."
    )
