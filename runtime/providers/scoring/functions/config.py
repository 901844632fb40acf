"""Settings of functions that packages bring."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class FunctionsConfig(BaseModel):
    """How long functions may take, and what they see of the server's environment."""

    model_config = ConfigDict(extra="forbid")

    timeout_s: float = Field(10.0, gt=0, le=3600, description="The longest that a row may take, in seconds.")
    load_timeout_s: float = Field(
        60.0, gt=0, le=3600, description="The longest that the import of a function may take, in seconds."
    )
    at_once: int = Field(2, ge=1, le=64, description="How many processes run at a time; others wait.")
    environment: Annotated[list[str], Field(max_length=100)] = Field(
        default_factory=list,
        description="The variables that functions may see beside `PATH`, `HOME`, `TMPDIR` and `LANG`, such as the key"
        " of a service that one asks. By default none.",
    )
