"""Settings of Chroma."""

from __future__ import annotations

from pydantic import Field, SecretStr

from runtime.apis._names import ServerAddress
from runtime.providers.vector_io._shared.config import VectorConfig


class ChromaConfig(VectorConfig):
    """Where its folder is."""

    db_path: str | None = Field(
        None,
        description="The folder of its files; relative to the provider's own folder in the server's state. By default"
        " `chroma`.",
    )


class ChromaServerConfig(VectorConfig):
    """Where the server is, and where in it collections are."""

    url: ServerAddress = Field("http://localhost:8000", description="The server's address.")
    api_key: SecretStr | None = Field(None, description="Its token, if it wants one; sent as `x-chroma-token`.")
    tenant: str = Field("default_tenant", pattern=r"^[\w.-]+$", description="The tenant.")
    database: str = Field("default_database", pattern=r"^[\w.-]+$", description="The tenant's database.")
    timeout_s: float = Field(60.0, gt=0, description="The longest wait for an answer, in seconds.")
