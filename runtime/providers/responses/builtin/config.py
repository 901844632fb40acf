"""How responses are made."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class ResponsesConfig(BaseModel):
    """How responses are made."""

    model_config = ConfigDict(extra="forbid")

    most_turns: int = Field(10, ge=1, le=1000, description="How often the model is asked for one response, at most.")
    background_workers: int = Field(
        10, ge=1, le=1000, description="How many responses a process makes in the background at once."
    )
