"""Settings of Bedrock's guardrails, and what a shield is told."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from runtime.providers._vendors.aws.config import AwsConfig


class BedrockSafetyConfig(AwsConfig):
    """Who calls Bedrock, and where."""


def _text(value: Any) -> Any:
    """A number as text."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class BedrockParams(BaseModel):
    """The `params` of a shield."""

    model_config = ConfigDict(extra="forbid")

    guardrailVersion: Annotated[str, BeforeValidator(_text)] = Field(  # llama-stack's name, and AWS's
        "DRAFT",
        pattern=r"^([1-9][0-9]{0,7}|DRAFT)$",
        description="The guardrail's version: a number, or `DRAFT` for what is being worked on. Default: `DRAFT`.",
    )
