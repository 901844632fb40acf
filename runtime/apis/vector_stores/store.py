"""Vector stores as OpenAI's clients make and read them, and how one is indexed anew.

https://platform.openai.com/docs/api-reference/vector-stores/object
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from runtime.apis._chunks import ChunkingStrategy
from runtime.apis._metadata import OpenAIMetadata
from runtime.apis._names import NamedResource, ResourceId
from runtime.apis._paging import Page
from runtime.apis._request import Deleted, Request, Response, example
from runtime.apis.vector_stores.configured import EMBEDDING_DIMENSION, EMBEDDING_MODEL, KEEPER, LONGEST_STORE_NAME

MAX_FILES_AT_CREATION = 500
_LONGEST_DESCRIPTION = 4096


class VectorStoreExpiresAfter(Request):
    """When a store expires. It finds nothing after that, and its chunks are removed."""

    anchor: Literal["last_active_at"] = Field(description="From when: always `last_active_at`.")
    days: int = Field(ge=1, le=365, description="For how long, in days: from 1 to 365.")


class CreateVectorStoreRequest(Request):
    """A place for files that are searched. The last three fields are not OpenAI's."""

    model_config = example(
        name="Handbook", metadata={"team": "support"}, expires_after={"anchor": "last_active_at", "days": 30}
    )

    name: str | None = Field(None, max_length=LONGEST_STORE_NAME, description="Its name. By default, it has none.")
    description: str | None = Field(
        None, max_length=_LONGEST_DESCRIPTION, description="What it is for. By default, nothing is said."
    )
    file_ids: list[NamedResource] | None = Field(
        None,
        max_length=MAX_FILES_AT_CREATION,
        description="Files to attach, at most 500; they are indexed in the background. By default, none.",
    )
    chunking_strategy: ChunkingStrategy | None = Field(
        None, description="How the files of `file_ids` are cut. The default is `auto`."
    )
    expires_after: VectorStoreExpiresAfter | None = Field(
        None, description="When it expires. By default, it is kept until it is deleted."
    )
    metadata: OpenAIMetadata | None = Field(
        None, description="Facts about it: at most 16, texts of at most 512 characters. By default, none."
    )
    embedding_model: ResourceId | None = EMBEDDING_MODEL
    embedding_dimension: int | None = EMBEDDING_DIMENSION
    provider_id: ResourceId | None = KEEPER


class VectorStoreRequest(Request):
    """Which vector store."""

    vector_store_id: ResourceId = Field(min_length=1, description="The store's id.")


class UpdateVectorStoreRequest(VectorStoreRequest):
    """What is to change; what is left out stays."""

    model_config = example(name="Handbook of 2026", metadata=None)

    name: str | None = Field(
        None, max_length=LONGEST_STORE_NAME, description="Its name; null for none. By default, it stays."
    )
    description: str | None = Field(
        None, max_length=_LONGEST_DESCRIPTION, description="What it is for; null for nothing. By default, it stays."
    )
    expires_after: VectorStoreExpiresAfter | None = Field(
        None, description="When it expires; null for never. By default, it stays."
    )
    metadata: OpenAIMetadata | None = Field(
        None, description="Takes the place of all its entries; null for none. By default, they stay."
    )


class ReindexRequest(VectorStoreRequest):
    """How the files of a store are to be indexed from now on. Without any field they are indexed as before."""

    model_config = example(embedding_model="all-MiniLM-L6-v2")

    embedding_model: ResourceId | None = Field(
        None, min_length=1, description="The model that makes its vectors. By default, the one that it has."
    )
    embedding_dimension: int | None = EMBEDDING_DIMENSION
    chunking_strategy: ChunkingStrategy | None = Field(
        None,
        description="How all its files are cut; one that is no longer stored stays as it was cut. By default, each as"
        " it was asked for: `auto` fits the model.",
    )
    provider_id: ResourceId | None = Field(
        None,
        min_length=1,
        description="The provider of `vector_io` that is to keep its vectors. By default, the one that has them.",
    )


class FileCounts(Response):
    """How far files are."""

    in_progress: int = Field(0, description="Those that are being indexed, or wait for it.")
    completed: int = Field(0, description="Those that are found by searches.")
    failed: int = Field(0, description="Those that could not be indexed.")
    cancelled: int = Field(0, description="Those that were given up before they were indexed.")
    total: int = Field(0, description="All of them.")


class Reindexing(Response):
    """A store that is indexed anew. Until that is done, searches use the old index."""

    object: Literal["vector_store.reindexing"] = "vector_store.reindexing"
    vector_store_id: str = Field(description="The store.")
    status: Literal["in_progress", "completed", "failed"] = Field(
        description="How far it is. With `failed` the old index stays."
    )
    created_at: int = Field(description="When it was asked for, in seconds since 1970.")
    embedding_model: str = Field(description="The model that makes the new vectors.")
    embedding_dimension: int = Field(description="How many numbers each of them has.")
    chunking_strategy: ChunkingStrategy | None = Field(
        None, description="How all files are cut; null where each is cut as it was."
    )
    file_counts: FileCounts = Field(description="How many of the store's files are indexed anew.")
    error: str | None = Field(None, description="Why it failed; null unless it did.")


class VectorStore(Response):
    """A place for files that are searched."""

    id: str = Field(description="By which it is searched.")
    object: Literal["vector_store"] = "vector_store"
    created_at: int = Field(description="When it was created, in seconds since 1970.")
    name: str = Field("", description="Its name; empty where it has none.")
    description: str | None = Field(None, description="What it is for, if that was said.")
    usage_bytes: int = Field(0, description="What its files take up together, in bytes.")
    file_counts: FileCounts = Field(description="How many files it has, and how far they are.")
    status: Literal["expired", "in_progress", "completed"] = Field(
        description="`in_progress` while a file of it is; `expired` once it finds nothing any more."
    )
    expires_after: VectorStoreExpiresAfter | None = Field(None, description="When it expires; null for never.")
    expires_at: int | None = Field(
        None, description="When it expires unless it is used before, in seconds since 1970; null for never."
    )
    last_active_at: int | None = Field(description="When it was last searched or changed, in seconds since 1970.")
    metadata: dict[str, str] | None = Field(description="Facts about it, as they were given.")
    embedding_model: str | None = Field(None, description="The model that makes its vectors.")
    embedding_dimension: int | None = Field(None, description="How many numbers each of its vectors has.")
    provider_id: str | None = Field(None, description="The provider of `vector_io` that keeps its vectors.")
    reindexing: Reindexing | None = Field(
        None, description="How far it is with being indexed anew; null if it never was asked for."
    )


class VectorStoreList(Page):
    """One page of the stores that the caller may see."""

    data: list[VectorStore] = Field(description="The stores, in the order that was asked for.")


class VectorStoreDeleted(Deleted):
    """A store that is no more."""

    object: Literal["vector_store.deleted"] = "vector_store.deleted"
