"""How rows are made up."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class SyntheticDataConfig(BaseModel):
    """How much is asked for rows that are made up."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    max_concurrent_requests: int = Field(
        8,
        ge=1,
        le=1000,
        description="How many questions one provider of inference is asked at once, of all requests of a process; fewer"
        " after it has said that it is asked too much.",
    )
    timeout_s: float = Field(
        600,
        gt=0,
        le=86_400,
        description="The longest time for making rows up, in seconds: what is there by then is the answer. Scoring them"
        " may take as long again.",
    )
