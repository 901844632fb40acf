"""Settings of FAISS."""

from __future__ import annotations

from pydantic import Field

from runtime.providers.vector_io._shared.config import VectorConfig


class FaissConfig(VectorConfig):
    """Where its files are."""

    db_path: str | None = Field(
        None,
        description="The folder of its files; relative to the provider's own folder in the server's state. By default"
        " `faiss`.",
    )
