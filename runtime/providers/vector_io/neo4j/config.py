"""Settings of Neo4j, by the names of ogx."""

from __future__ import annotations

from pydantic import Field, SecretStr

from runtime.providers.vector_io._shared.config import VectorConfig


class Neo4jConfig(VectorConfig):
    """Where the database is."""

    uri: str = Field(
        "bolt://localhost:7687",
        pattern=r"^(bolt|neo4j)(\+s|\+ssc)?://",
        description="The server's address: `bolt` asks this one, `neo4j` any of its cluster, `+s` over TLS, `+ssc` over"
        " TLS with any certificate.",
    )
    user: str = Field("neo4j", description="The user.")
    password: SecretStr | None = Field(None, description="The user's password; without one, nobody is named.")
    database: str = Field("neo4j", min_length=1, description="The database, which must be there.")
    index_prefix: str = Field(
        "ogx", pattern=r"^[A-Za-z][A-Za-z0-9]*$", description="What its labels and indexes begin with."
    )
    timeout_s: float = Field(60.0, gt=0, description="The longest wait for a connection, in seconds.")
