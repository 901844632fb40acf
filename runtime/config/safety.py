"""The section `safety` of a run config: the shield that is meant where none is named, and what chats go through."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from runtime.storage.settings import Section


class GuardrailsConfig(Section):
    """What chats go through where the request does not say."""

    input: list[str] = Field(default_factory=list, description="Shields for what is asked. Default: none.")
    output: list[str] = Field(default_factory=list, description="Shields for what is answered. Default: none.")
    may_be_changed: bool = Field(
        True, description="Whether a request may name other shields, or none. `false`: it can only add some."
    )
    on_failure: Literal["refuse", "pass"] = Field(
        "refuse",
        description="What happens where a shield fails: the request ends with its error, or it passes with a warning in"
        " `x-llama-warnings`, or in a comment of a stream that has begun, and in the log.",
    )
    timeout_s: float = Field(
        60.0,
        gt=0,
        le=3600,
        allow_inf_nan=False,
        description="How long a shield may look at something, in seconds; after that it has failed.",
    )
    beside_the_model: bool = Field(
        True,
        description="Whether the model begins while what is asked is still looked at; nothing of its answer is sent"
        " before. `false`: the model is only asked what has passed.",
    )
    window_chars: int = Field(
        400,
        ge=1,
        le=100_000,
        description="How much of a streamed answer is looked at together; so much is held back until it has passed.",
    )


class SafetyConfig(Section):
    """Shields: the usual one, and guardrails."""

    default_shield_id: str | None = Field(
        None, min_length=1, description="The shield of `/v1/moderations` where the request names none. Default: none."
    )
    guardrails: GuardrailsConfig = Field(default_factory=GuardrailsConfig, description="What every chat goes through.")
