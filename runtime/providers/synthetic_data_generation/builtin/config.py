"""How rows are made up."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class SyntheticDataConfig(BaseModel):
    """How much of a model one request may have."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    max_concurrent_requests: int = Field(
        8, ge=1, le=1000, description="How many questions of a request a model is asked at once."
    )
    timeout_s: float = Field(
        600,
        gt=0,
        le=86_400,
        description="The longest time for making rows up, in seconds: what is there by then is the answer. Scoring them"
        " may take as long again.",
    )
