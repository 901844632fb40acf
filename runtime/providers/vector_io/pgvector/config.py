"""Settings of pgvector, by the names of llama-stack and ogx."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from runtime.providers.vector_io._shared.config import VectorConfig
from runtime.storage.postgres.config import PostgresSqlConfig


class HnswIndex(BaseModel):
    """A graph: approximate, and as good while vectors are added."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    type: Literal["HNSW"] = Field("HNSW", description="The kind of index.")
    m: int = Field(16, ge=2, le=100, description="Edges of each vector in the graph.")
    ef_construction: int = Field(64, ge=4, le=1000, description="Candidates for an edge.")
    ef_search: int = Field(100, ge=1, le=1000, description="Candidates of a search, at least.")


class IvfFlatIndex(BaseModel):
    """Lists around centres that are chosen when the index is made: for vectors that are there by then."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    type: Literal["IVFFlat"] = Field(description="The kind of index.")
    nlist: int = Field(100, ge=1, le=32_768, description="Lists.")
    nprobe: int = Field(10, ge=1, le=32_768, description="Lists that a search looks into.")


class PgVectorConfig(VectorConfig):
    """Where the database is, and how vectors are indexed."""

    host: str = Field("localhost", min_length=1, description="The server, or the folder of its Unix socket.")
    port: int = Field(5432, ge=1, le=65535, description="Its port.")
    db: str = Field("postgres", min_length=1, description="The database. It must be there; its tables are made.")
    user: str = Field("postgres", min_length=1, description="Its user, who may make tables in the database.")
    password: SecretStr | None = Field(None, description="The user's password.")
    vector_index: Annotated[HnswIndex | IvfFlatIndex, Field(discriminator="type")] | None = Field(
        default_factory=lambda: HnswIndex(type="HNSW"),
        description="The index of collections that are made; null for none, with which a search compares with every"
        " vector. Vectors of more than 2000 numbers have none.",
    )
    pool_min_size: int = Field(4, ge=1, description="Connections that are kept open.")
    pool_max_size: int = Field(20, ge=1, description="Connections at most.")
    statement_cache_size: int = Field(512, ge=0, description="Prepared statements that a connection keeps.")

    def settings(self) -> PostgresSqlConfig:
        """The same, as connections are made with it."""
        return PostgresSqlConfig(
            host=self.host,
            port=self.port,
            db=self.db,
            user=self.user,
            password=self.password,
            pool_size=self.pool_min_size,
            max_overflow=max(0, self.pool_max_size - self.pool_min_size),
            statement_cache_size=self.statement_cache_size,
        )
