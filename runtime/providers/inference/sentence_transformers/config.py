"""Settings of the encoder."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class SentenceTransformersConfig(BaseModel):
    """One model, and the threads for it."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    model: str = Field(
        "all-MiniLM-L6-v2",
        min_length=1,
        description="The model that comes with the distribution, or a sentence-transformers folder: of an embedding"
        " model, which reranks too, or of a cross-encoder, which only reranks.",
    )
    device: str = Field("auto", description="auto, cpu, cuda or cuda:N.")
    threads: int | None = Field(None, ge=1, description="CPU threads; by default one per core.")
    max_waiting: int = Field(
        16384,
        ge=1,
        description="Texts that may wait or be computed at once, with 2048 characters for each on average."
        " A request beyond that gets a 429.",
    )
    load_timeout_s: float = Field(
        120.0, gt=0, description="How long a request waits for a model that is being loaded, in seconds."
    )
