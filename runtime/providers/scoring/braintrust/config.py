"""Settings of the scorers of autoevals."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from runtime.apis._names import ResourceId


class BraintrustModels(BaseModel):
    """Which models are asked: `options` in the params of a function, and in a provider's config."""

    model_config = ConfigDict(extra="forbid")

    judge_model: ResourceId | None = Field(
        None, min_length=1, description="The model that judges. Default: that of the provider's config."
    )
    embedding_model: ResourceId | None = Field(
        None,
        min_length=1,
        description="The model whose embeddings tell how alike texts are. Default: that of the provider's config.",
    )


class BraintrustConfig(BraintrustModels):
    """Which models are asked unless a request says so, and how much at a time."""

    judge_model: ResourceId | None = Field(
        None, min_length=1, description="The model that judges. Default: each request names one in `options`."
    )
    embedding_model: ResourceId | None = Field(
        None,
        min_length=1,
        description="The model whose embeddings tell how alike texts are. Default: each request names one.",
    )
    at_once: int = Field(8, ge=1, le=1000, description="How many rows are scored at a time; others wait.")
    max_tokens: int = Field(
        4096, ge=16, description="The most tokens that a judge may answer with, those that it thinks with included."
    )
