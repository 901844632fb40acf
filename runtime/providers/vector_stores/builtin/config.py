"""Defaults of vector stores: the section `vector_stores` of a run config, which llama-stack and ogx have too."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from runtime.spec import ProviderOf

QUERY = "{query}"
"""Where the query goes in the prompt."""
DEFAULT_REWRITE_PROMPT = """\
Rewrite the question as a search query for a collection of documents: the terms that a document with the answer would \
use, without politeness and without an answer. Reply with the query only.

Question: {query}"""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", defer_build=True, protected_namespaces=())


class ModelChoice(_Section):
    """A model, by the provider that serves it and the provider's own name for it."""

    provider_id: str | None = Field(None, description="The provider. Default: `model_id` is the whole name.")
    model_id: str = Field(min_length=1, description="The model's name.")

    @property
    def name(self) -> str:
        return f"{self.provider_id}/{self.model_id}" if self.provider_id else self.model_id


class RewriteQuery(_Section):
    """How a query is rewritten for requests with `rewrite_query: true`."""

    model: ModelChoice | str | None = Field(None, description="A chat model. Default: the first that is served.")
    prompt: str = Field(DEFAULT_REWRITE_PROMPT, description="What it is asked; `{query}` is the query.")
    max_tokens: int = Field(100, ge=1, description="The most tokens of a query.")
    temperature: float = Field(0.3, ge=0, le=2, description="How freely it is rewritten.")

    @field_validator("prompt")
    @classmethod
    def _has_the_query(cls, given: str) -> str:
        if QUERY not in given:
            raise ValueError(f"must have `{QUERY}` in it")
        return given


class FileIngestion(_Section):
    """How files are cut, if neither their store nor they themselves say."""

    default_chunk_size_tokens: int | None = Field(
        None, ge=100, le=4096, description="The most tokens of a chunk. Default: 800, or what the model can read."
    )
    default_chunk_overlap_tokens: int | None = Field(
        None, ge=0, description="The most tokens that two chunks share. Default: a half, or a quarter of short chunks."
    )


class Retrieval(_Section):
    """How chunks are found."""

    chunk_multiplier: int = Field(5, ge=1, le=100, description="So many times the hits that were asked for are fused.")
    max_tokens_in_context: int = Field(4000, ge=1, description="The most tokens of what the RAG tool answers.")
    default_reranker_strategy: Literal["rrf", "weighted", "normalized"] = Field(
        "rrf", description="How vector and keyword search become one ranking."
    )
    rrf_impact_factor: float = Field(60.0, gt=0, description="The `k` of reciprocal rank fusion.")
    weighted_search_alpha: float = Field(0.5, ge=0, le=1, description="The weight of vector search; 0: keywords only.")


class FileBatchLimits(_Section):
    """How files are ingested."""

    max_concurrent_files_per_batch: int = Field(
        16, ge=1, le=64, description="So many files at once, of all batches. What several have is stored together."
    )
    max_bytes_at_once: int = Field(
        64 * 1024**2,
        ge=1,
        description="So many bytes of files are read and not yet stored at once, of all batches; a larger file is read"
        " alone. The default is 64 MiB.",
    )


class ContextualRetrieval(_Section):
    """How the context of a chunk is written, for the chunking strategy `contextual`."""

    model: ModelChoice | str | None = Field(None, description="A chat model. Default: the first that is served.")
    default_timeout_seconds: float = Field(120.0, gt=0, description="The longest that one context may take.")
    default_max_concurrency: int = Field(3, ge=1, le=64, description="How many contexts are written at once.")
    max_document_tokens: int = Field(100_000, ge=1, description="A longer document is refused.")


class VectorStoresConfig(_Section):
    default_provider_id: Annotated[str | None, ProviderOf("vector_io")] = Field(
        None, description="The provider of `vector_io` for new stores. Default: the first."
    )
    default_embedding_model: ModelChoice | str | None = Field(
        None, description="The embedding model of new stores. Default: the first that is served."
    )
    default_reranker_model: ModelChoice | str | None = Field(
        None, description="The model for `ranker: auto` and `neural`. Default: the first that is served."
    )
    default_search_mode: Literal["vector", "keyword", "hybrid"] = Field(
        "vector", description="How a search that does not say `search_mode` is made."
    )
    rewrite_query_params: RewriteQuery = Field(default_factory=RewriteQuery)
    file_ingestion_params: FileIngestion = Field(default_factory=FileIngestion)
    chunk_retrieval_params: Retrieval = Field(default_factory=Retrieval)
    file_batch_params: FileBatchLimits = Field(default_factory=FileBatchLimits)
    contextual_retrieval_params: ContextualRetrieval = Field(default_factory=ContextualRetrieval)
    read_private_addresses: bool = Field(
        False,
        description="Whether documents are also read from addresses of this machine and of private networks, which the"
        " server may reach and its users not.",
    )


def name_of(choice: ModelChoice | str | None) -> str | None:
    """The name by which a configured model is asked for."""
    return choice.name if isinstance(choice, ModelChoice) else choice
