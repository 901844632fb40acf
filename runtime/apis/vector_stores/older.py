"""What llama-stack 0.1 to 0.3 called vector databases and the RAG tool: other names of vector stores."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, field_validator
from pydantic_core import PydanticCustomError

from runtime.apis._chunks import ChunkContent, ChunkImage, ChunkText, ChunkUrl
from runtime.apis._metadata import Metadata
from runtime.apis._names import ResourceId
from runtime.apis._request import AT_ONCE, Request, Response, example
from runtime.apis.vector_stores.configured import EMBEDDING_DIMENSION, EMBEDDING_MODEL, KEEPER
from runtime.apis.vector_stores.native import MODE, ChunkRanker, QueryContent
from runtime.apis.vector_stores.search import SearchMode

MAX_DOCUMENTS = 10_000
MAX_SEARCHED_STORES = 100
CHUNK_TEMPLATE = "Result {index}\nContent: {chunk.content}\nMetadata: {metadata}\n"
"""How a chunk is written for a model unless a request says otherwise."""


class VectorDbRequest(Request):
    """Which vector database."""

    vector_db_id: ResourceId = Field(min_length=1, description="Its id, which is that of a vector store.")


class RegisterVectorDbRequest(VectorDbRequest):
    """A vector store to make, under an id of the caller's."""

    model_config = example(vector_db_id="handbook", embedding_model="all-MiniLM-L6-v2", embedding_dimension=384)

    embedding_model: ResourceId | None = EMBEDDING_MODEL
    embedding_dimension: int | None = EMBEDDING_DIMENSION
    provider_id: ResourceId | None = KEEPER
    vector_db_name: str | None = Field(None, max_length=512, description="Its name. By default, its id.")
    provider_vector_db_id: ResourceId | None = Field(
        None, description="Taken for older clients; the store is found by `vector_db_id`. By default, the same."
    )


class VectorDb(Response):
    """A vector store under its older name."""

    identifier: str = Field(description="Its id.")
    provider_resource_id: str = Field(description="The same as `identifier`.")
    provider_id: str = Field(description="The provider of `vector_io` that keeps its vectors.")
    type: Literal["vector_db"] = "vector_db"
    embedding_model: str = Field(description="The model that makes its vectors.")
    embedding_dimension: int = Field(description="How many numbers each of its vectors has.")
    vector_db_name: str | None = Field(None, description="Its name, if it has one.")


class VectorDbList(Response):
    """The vector stores that the caller may see."""

    data: list[VectorDb] = Field(description="The stores, the newest first.")


class RagDocument(Request):
    """A document to find again."""

    document_id: ResourceId = Field(
        min_length=1, description="Its id; a document of the store that has it is replaced."
    )
    content: ChunkContent | ChunkUrl = Field(description="What it says: a text, parts, or an address to read it from.")
    mime_type: str | None = Field(
        None, max_length=256, description="Its content type. By default, what its address says, or `text/plain`."
    )
    metadata: Metadata = Field(default_factory=dict, description="What may be shown to a model. By default, nothing.")


class InsertDocumentsRequest(Request):
    """Documents to cut and keep in a store."""

    model_config = example(
        documents=[{"document_id": "llamas", "content": "A llama grazes.", "mime_type": "text/plain", "metadata": {}}],
        vector_db_id="vs_abc123",
        chunk_size_in_tokens=512,
    )

    documents: Annotated[list[RagDocument], AT_ONCE] = Field(
        max_length=MAX_DOCUMENTS, description="The documents, at most 10000."
    )
    vector_db_id: ResourceId = Field(
        min_length=1,
        validation_alias=AliasChoices("vector_db_id", "vector_store_id"),
        description="The store; `vector_store_id` is another name of this field.",
    )
    chunk_size_in_tokens: int = Field(
        512,
        ge=100,
        le=4096,
        description="The most tokens of a chunk, from 100 to 4096; a quarter of them is shared with the next one. The"
        " default is 512.",
    )


class JoinedTexts(Request):
    """The query is the texts of its parts."""

    type: Literal["default"] = Field("default", description="Always `default`, which is the default.")
    separator: str = Field(" ", max_length=64, description="What stands between them. The default is a space.")


class WrittenByModel(Request):
    """A model writes the query."""

    type: Literal["llm"] = Field("llm", description="Always `llm`, which is the default here.")
    model: ResourceId = Field(min_length=1, description="The model.")
    template: str = Field(
        min_length=1, max_length=20_000, description="What it is asked, with `{{ messages }}` where the content goes."
    )


class RagQueryConfig(Request):
    """How chunks are looked for and written down."""

    query_generator_config: Annotated[JoinedTexts | WrittenByModel, Field(discriminator="type")] | None = Field(
        None, description="How the query is made of the content. The default is `default`."
    )
    max_tokens_in_context: int | None = Field(
        None,
        ge=1,
        le=10_000_000,
        description="The most tokens of what is found, together. By default, as the provider has it.",
    )
    max_chunks: int = Field(5, ge=1, le=1000, description="The most chunks, from 1 to 1000. The default is 5.")
    chunk_template: str = Field(
        CHUNK_TEMPLATE,
        max_length=20_000,
        description="How a chunk is written, with `{index}` (from 1) and `{chunk.content}`, and `{metadata}` if wanted."
        " By default, on three lines.",
    )
    mode: SearchMode | None = MODE
    ranker: ChunkRanker | None = Field(None, description="How hits are fused. By default, as the provider has it.")

    @field_validator("chunk_template")
    @classmethod
    def _has_its_places(cls, given: str) -> str:
        for place in ("{index}", "{chunk.content}"):
            if place not in given:
                raise PydanticCustomError("chunk_template", "must have {place} in it", {"place": f"`{place}`"})
        return given


class QueryDocumentsRequest(Request):
    """What is looked for in some stores, to be put before a model."""

    model_config = example(content="Who grazes?", vector_db_ids=["vs_abc123"], query_config={"max_chunks": 3})

    content: QueryContent = Field(description="The question: a text, or parts with a text.")
    vector_db_ids: list[ResourceId] = Field(
        min_length=1,
        max_length=MAX_SEARCHED_STORES,
        validation_alias=AliasChoices("vector_db_ids", "vector_store_ids"),
        description="The stores, at most 100; `vector_store_ids` is another name of this field.",
    )
    query_config: RagQueryConfig | None = Field(
        None, description="How chunks are looked for and written down. By default, as its fields say."
    )


class QueryDocumentsResponse(Response):
    """What was found, as parts of a message."""

    content: list[ChunkText | ChunkImage] | None = Field(
        None, description="What was found between words that say what it is; null if nothing was."
    )
    metadata: dict[str, Any] = Field(
        description="Lists with an entry for each chunk: `document_ids`, `chunks`, `scores`, `vector_db_ids`."
    )
