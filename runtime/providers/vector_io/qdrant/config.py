"""Settings of Qdrant in this process."""

from __future__ import annotations

from pydantic import Field

from runtime.providers.vector_io._shared.config import VectorConfig


class QdrantConfig(VectorConfig):
    """Where its folder is."""

    path: str | None = Field(
        None,
        description="The folder of its files; relative to the provider's own folder in the server's state. By default"
        " `qdrant`.",
    )
