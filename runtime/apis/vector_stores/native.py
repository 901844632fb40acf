"""Chunks that are inserted as they are, and found as they are: llama-stack's own API of vector stores."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, AliasChoices, Field, model_validator
from pydantic_core import PydanticCustomError

from runtime.apis._chunks import Chunk, ChunkContent, ChunkMetadata, text_of
from runtime.apis._metadata import Metadata
from runtime.apis._names import ResourceId
from runtime.apis._request import AT_ONCE, Request, Response, example
from runtime.apis.vector_stores.configured import LONGEST_DIMENSION
from runtime.apis.vector_stores.filters import Filters
from runtime.apis.vector_stores.search import LONGEST_QUERY, Ranker, SearchMode

MAX_INSERTED_CHUNKS = 100_000
MAX_QUERIED_CHUNKS = 1000
_LONGEST_TTL_S = 100 * 366 * 86_400

StoreId = Annotated[ResourceId, Field(min_length=1, validation_alias=AliasChoices("vector_store_id", "vector_db_id"))]
"""A store, also under the name that llama-stack 0.1 to 0.3 have for it."""


def _has_text(given: ChunkContent) -> ChunkContent:
    text = text_of(given).strip()
    if not text:
        raise PydanticCustomError("no_text", "only a text can be searched for, and there is none")
    if len(text) > LONGEST_QUERY:
        raise PydanticCustomError("long_query", "has more than {limit} characters", {"limit": LONGEST_QUERY})
    return given


def _names_a_document(given: Metadata) -> Metadata:
    if isinstance(given.get("document_id"), dict | list):
        raise PydanticCustomError("document_id", "document_id must be a text or a number")
    return given


MODE = Field(None, description="By what is found: `vector`, `keyword` or `hybrid`. By default, as the provider has it.")
QueryContent = Annotated[ChunkContent, AfterValidator(_has_text)]


class ChunkToInsert(Request):
    """A chunk to keep."""

    content: ChunkContent = Field(description="What it says.")
    chunk_id: ResourceId | None = Field(
        None,
        min_length=1,
        validation_alias=AliasChoices("chunk_id", "stored_chunk_id"),
        description="Its id; a chunk of the store that has it is replaced. By default, one is made of the document's id"
        " and the content.",
    )
    metadata: Annotated[Metadata, AfterValidator(_names_a_document)] = Field(
        default_factory=dict,
        description="What may be shown to a model; `document_id` says which document it is of. By default, nothing.",
    )
    chunk_metadata: ChunkMetadata | None = Field(None, description="Where it comes from. By default, that is not said.")
    embedding: Annotated[list[float], AT_ONCE] | None = Field(
        None,
        min_length=1,
        max_length=LONGEST_DIMENSION,
        description="Its vector, as long as those of the store. By default, the store's model makes it.",
    )
    embedding_model: ResourceId | None = Field(
        None, description="The model that made `embedding`; it must be the store's. By default, it is taken to be."
    )
    embedding_dimension: int | None = Field(
        None, ge=1, le=LONGEST_DIMENSION, description="How many numbers `embedding` has. By default, they are counted."
    )

    @model_validator(mode="after")
    def _dimension_is_counted_right(self) -> ChunkToInsert:
        given, counted = self.embedding_dimension, len(self.embedding or ())
        if self.embedding is not None and given is not None and given != counted:
            raise PydanticCustomError(
                "dimension",
                "embedding_dimension is {given}, and the embedding has {counted} numbers",
                {"given": given, "counted": counted},
            )
        return self


class InsertChunksRequest(Request):
    """Chunks to keep in a store."""

    model_config = example(
        vector_store_id="vs_abc123", chunks=[{"content": "A llama grazes.", "metadata": {"document_id": "llamas"}}]
    )

    vector_store_id: StoreId = Field(description="The store; `vector_db_id` is an older name of this field.")
    chunks: Annotated[list[ChunkToInsert], AT_ONCE] = Field(
        max_length=MAX_INSERTED_CHUNKS, description="The chunks, at most 100000."
    )
    ttl_seconds: int | None = Field(
        None,
        ge=1,
        le=_LONGEST_TTL_S,
        description="For how long they are kept, in seconds, at most a century. By default, as long as the store.",
    )


class ChunkRanker(Request):
    """How hits of vectors and of words are fused, as llama-stack's older clients say it."""

    type: Literal["rrf", "weighted", "normalized", "neural"] = Field(
        "rrf", description="The ranker, as in `ranking_options` of a search. The default is `rrf`."
    )
    impact_factor: float | None = Field(
        None, gt=0, le=1_000_000, description="Of `rrf`: what is added to each position. By default, the provider's."
    )
    alpha: float | None = Field(
        None, ge=0, le=1, description="Of `weighted`: how much vectors count, from 0 to 1. By default, the provider's."
    )
    model: ResourceId | None = Field(
        None, min_length=1, description="Of `neural`: the reranking model. By default, the provider's."
    )


class QueryChunksParams(Request):
    """How chunks are looked for."""

    max_chunks: int = Field(
        3,
        ge=1,
        le=MAX_QUERIED_CHUNKS,
        validation_alias=AliasChoices("max_chunks", "k"),
        description="The most chunks, at most 1000; `k` is another name of this field. The default is 3.",
    )
    score_threshold: float = Field(0, description="Only chunks with at least this score. The default is 0.")
    mode: SearchMode | None = MODE
    ranker: Ranker | ChunkRanker | None = Field(
        None, description="How hits are fused and put in order. By default, as the provider has it."
    )
    filters: Filters | None = Field(None, description="As those of a search. By default, all chunks are searched.")
    include_embeddings: bool = Field(False, description="Whether chunks come with vectors. The default is false.")


class QueryChunksRequest(Request):
    """What is looked for in a store."""

    model_config = example(vector_store_id="vs_abc123", query="Who grazes?", params={"max_chunks": 5})

    vector_store_id: StoreId = Field(description="The store; `vector_db_id` is an older name of this field.")
    query: QueryContent = Field(description="The question or the words: a text, or parts with a text.")
    params: QueryChunksParams | None = Field(
        None, description="How it is looked for. By default, as the provider has it."
    )


class EmbeddedChunk(Chunk):
    """A chunk that was found."""

    embedding: list[float] | None = Field(None, description="Its vector; null unless asked for.")
    embedding_model: str | None = Field(None, description="The model that made its vector.")
    embedding_dimension: int | None = Field(None, description="How many numbers its vector has.")


class QueryChunksResponse(Response):
    """What was found, the best first."""

    chunks: list[EmbeddedChunk] = Field(description="The chunks.")
    scores: list[float] = Field(description="How well each fits. Higher is better.")
