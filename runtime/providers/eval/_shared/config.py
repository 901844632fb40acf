"""How evaluations are done."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class EvalConfig(BaseModel):
    """How many rows of evaluations are asked at once. Further evaluations wait."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    max_concurrent_jobs: int = Field(2, ge=1, le=1000, description="How many evaluations a process does at once.")
    max_concurrent_rows: int = Field(10, ge=1, le=1000, description="How many rows of an evaluation are asked at once.")
    max_concurrent_rows_per_provider: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="How many rows of all evaluations of a process one provider of inference is asked at once; fewer "
        "after it has said that it is asked too much. By default as many as of one evaluation.",
    )
