"""Settings of judges."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from runtime.apis._names import ResourceId


class LLMAsJudgeConfig(BaseModel):
    """Who judges unless a request says so, and how much at a time."""

    model_config = ConfigDict(extra="forbid")

    judge_model: ResourceId | None = Field(
        None,
        min_length=1,
        description="The model that judges for `405b-simpleqa` and `pairwise` where a request names none. Default: each"
        " request names one.",
    )
    at_once: int = Field(8, ge=1, le=1000, description="How many answers are judged at a time; others wait.")
    max_tokens: int = Field(
        4096, ge=16, description="The most tokens that a judge may answer with, those that it thinks with included."
    )
    temperature: float | None = Field(
        0.0,
        ge=0,
        le=2,
        description="How much chance there is in what it says, from 0. null: as much as the model usually has. Models"
        " that take none are asked without.",
    )
