"""Settings of the functions that compute."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class BasicScoringConfig(BaseModel):
    """How long a row may take."""

    model_config = ConfigDict(extra="forbid")

    regex_timeout_s: float = Field(
        1.0, gt=0, le=60, description="The longest that the expressions together may search one row, in seconds."
    )
