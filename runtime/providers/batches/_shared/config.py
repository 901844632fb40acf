"""How batches are done."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class BatchesConfig(BaseModel):
    """How many requests of batches are asked at once. Further batches wait."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    max_concurrent_batches: int = Field(1, ge=1, le=1000, description="How many batches a process does at once.")
    max_concurrent_requests_per_batch: int = Field(
        10, ge=1, le=1000, description="How many requests of a batch are asked at once."
    )
    max_concurrent_requests_per_provider: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="How many requests of all batches of a process one provider of inference is asked at once; fewer "
        "after it has said that it is asked too much. By default as many as of one batch.",
    )
