"""Settings of the profanity shield, and what a shield or a request may tell it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class ProfanityParams(BaseModel):
    """`params` of a shield, or of one request."""

    model_config = ConfigDict(extra="forbid")

    threshold: float | None = Field(
        None, gt=0, le=1, description="The score from which a text is flagged. Default: that of the provider."
    )


class ProfanityCheckConfig(BaseModel):
    """From when on a text is flagged."""

    model_config = ConfigDict(extra="forbid")

    threshold: float = Field(
        0.5,
        gt=0,
        le=1,
        description="The score from which a text is flagged. A shield's `params` and those of a request count before"
        " it.",
    )
