"""How responses are made."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class ResponsesConfig(BaseModel):
    """How responses are made."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    most_turns: int = Field(10, ge=1, le=1000, description="How often the model is asked for one response, at most.")
    read_private_addresses: bool = Field(
        False,
        description="Whether files that requests name by address are also fetched from this machine and from private"
        " networks.",
    )
    background_workers: int = Field(
        10, ge=1, le=1000, description="How many responses a process makes in the background at once."
    )
