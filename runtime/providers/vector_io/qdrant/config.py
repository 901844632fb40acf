"""Settings of Qdrant, of the server by the names of llama-stack and ogx."""

from __future__ import annotations

from pydantic import Field, SecretStr

from runtime.apis._names import ServerAddress
from runtime.providers.vector_io._shared.config import VectorConfig


class QdrantConfig(VectorConfig):
    """Where its folder is."""

    path: str | None = Field(
        None,
        description="The folder of its files; relative to the provider's own folder in the server's state. By default"
        " `qdrant`.",
    )


class QdrantServerConfig(VectorConfig):
    """Where the server is."""

    url: ServerAddress | None = Field(
        None, description="The server's address, `http://localhost:6333`. By default of the parts below."
    )
    location: ServerAddress | None = Field(None, description="The same; for configs of older systems.")
    host: str | None = Field(None, description="The server, without `url`. The default is `localhost`.")
    port: int = Field(6333, ge=1, le=65535, description="Its port, without `url`.")
    https: bool | None = Field(None, description="Whether it is asked over TLS. By default where there is a key.")
    prefix: str | None = Field(None, description="What its paths begin with, behind a proxy, without `url`.")
    api_key: SecretStr | None = Field(None, description="Its key, if it wants one.")
    timeout: int | None = Field(None, ge=1, description="The longest wait for an answer, in seconds. 60 by default.")

    def address(self) -> str:
        """Without a slash at its end."""
        if given := self.url or self.location:
            return given.rstrip("/")
        is_safe = self.https if self.https is not None else self.api_key is not None
        place = f"{'https' if is_safe else 'http'}://{self.host or 'localhost'}:{self.port}"
        return f"{place}/{self.prefix.strip('/')}" if self.prefix else place
