"""What is kept of what happened."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class TelemetryConfig(BaseModel):
    """How long traces stay."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    keep_days: float = Field(7.0, gt=0, le=36_500, description="How many days traces stay; a hundred years at most.")
    keep_traces: int = Field(
        2_000_000, ge=1, le=10**12, description="How many traces stay, the latest ones; looked at once an hour."
    )
