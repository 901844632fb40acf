"""Settings of NeMo Guardrails, and what a shield is told."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from runtime.apis._names import ServerAddress


class NvidiaSafetyConfig(BaseModel):
    """Where the service is, and which of its configurations is meant."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    guardrails_service_url: ServerAddress = Field(
        "http://localhost:7331",
        description="The address of the service, whose checks are at `/v1/guardrail/checks`; or that of the checks"
        " themselves, such as `http://nemo/apis/guardrails/v2/workspaces/default/checks`. What it asks for as a key is"
        " given in `network.headers`.",
    )
    config_id: str = Field(
        "self-check",
        description="The configuration of rails, by its id, unless a shield's `params` name one; with an empty one the"
        " service takes its own. The default is `self-check`.",
    )


class NvidiaParams(BaseModel):
    """The `params` of a shield."""

    model_config = ConfigDict(extra="forbid")

    config_id: str | None = Field(
        None, min_length=1, description="The configuration of rails, by its id. Default: that of the provider."
    )
    conversation: bool = Field(
        False,
        description="Whether what was said before is sent too, for rails that compare an answer with its question; then"
        " rails for what a user says judge that too. Default: no.",
    )
