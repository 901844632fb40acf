"""Vector stores as run configs name them. Imports little, since a plan reads it."""

from __future__ import annotations

from pydantic import AliasChoices, Field

from runtime.apis._metadata import OpenAIMetadata
from runtime.apis._names import ResourceId
from runtime.apis._request import Request
from runtime.apis._resources import ConfiguredKind

LONGEST_DIMENSION = 65_536
"""The most numbers that a vector of a store has."""
LONGEST_STORE_NAME = 512
EMBEDDING_MODEL = Field(None, min_length=1, description="The model that makes its vectors. By default, the provider's.")
EMBEDDING_DIMENSION = Field(
    None,
    ge=1,
    le=LONGEST_DIMENSION,
    description="How many numbers its vectors have, where the model can make shorter ones. By default, as many as the"
    " model makes.",
)
KEEPER = Field(
    None,
    min_length=1,
    description="The provider of `vector_io` that keeps its vectors. By default, the one that is configured as the"
    " default.",
)


class ConfiguredVectorStore(Request):
    """A vector store that the run config names: made at the first start, and there at each later one."""

    vector_store_id: ResourceId = Field(min_length=1, description="Its id.")
    vector_store_name: str | None = Field(
        None,
        max_length=LONGEST_STORE_NAME,
        validation_alias=AliasChoices("vector_store_name", "name", "vector_db_name"),
        description="Its name; `name` and `vector_db_name` are other names of this field. Default: its id.",
    )
    embedding_model: ResourceId | None = EMBEDDING_MODEL
    embedding_dimension: int | None = EMBEDDING_DIMENSION
    provider_id: ResourceId | None = KEEPER
    provider_vector_store_id: ResourceId | None = Field(
        None, description="Taken for older run configs; the store is found by its id. Default: the same."
    )
    metadata: OpenAIMetadata | None = Field(
        None, description="Facts about it: at most 16, texts of at most 512 characters. Default: none."
    )


STORE = ConfiguredKind(
    kind="vector_store",
    served_by="vector_io",
    id_field="vector_store_id",
    config_key="vector_stores",
    older_keys=("vector_dbs",),
    older_id_fields=("vector_db_id",),
    configured=ConfiguredVectorStore,
)
