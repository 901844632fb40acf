"""Settings of Milvus."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, SecretStr

from runtime.apis._names import ServerAddress
from runtime.providers.vector_io._shared.config import VectorConfig

Consistency = Literal["Strong", "Session", "Bounded", "Eventually"]


class MilvusConfig(VectorConfig):
    """Where its file is."""

    db_path: str | None = Field(
        None,
        description="Its file; relative to the provider's own folder in the server's state. By default `milvus.db`.",
    )
    consistency_level: Consistency = Field(
        "Strong", description="Of collections that are made. What was put is found at once with `Strong` only."
    )


class MilvusServerConfig(VectorConfig):
    """Where the server is, by the names of llama-stack and of Milvus's client."""

    uri: ServerAddress = Field(
        "http://localhost:19530",
        description="The server's address; with `https://` it is asked over TLS.",
    )
    token: SecretStr | None = Field(None, description="Its token, or `user:password`, if it wants one.")
    db_name: str = Field("", description="The database. By default the server's `default`.")
    consistency_level: Consistency = Field(
        "Strong", description="Of collections that are made. What was put is found at once with `Strong` only."
    )
    index_type: Literal["AUTOINDEX", "FLAT"] = Field(
        "AUTOINDEX",
        description="The index of collections that are made: the server's own choice, which is approximate, or none,"
        " so that a search compares with every vector.",
    )
    server_pem_path: str | None = Field(None, description="The server's certificate, which alone is trusted; PEM.")
    server_name: str | None = Field(None, description="The name in the server's certificate, if it is another one.")
    ca_pem_path: str | None = Field(None, description="The authority of the server's certificate; PEM.")
    client_pem_path: str | None = Field(None, description="The certificate that we show; PEM.")
    client_key_path: str | None = Field(None, description="Its private key; PEM.")
    timeout_s: float = Field(60.0, gt=0, description="The longest wait for an answer, in seconds.")

    def client_arguments(self) -> dict[str, Any]:
        """As Milvus's client takes them."""
        names = ("server_pem_path", "server_name", "ca_pem_path", "client_pem_path", "client_key_path")
        given = {name: value for name in names if (value := getattr(self, name))}
        token = self.token.get_secret_value() if self.token else ""
        return {"uri": self.uri, "token": token, "db_name": self.db_name, **given}
