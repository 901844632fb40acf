"""Settings of DuckDB as a vector database."""

from __future__ import annotations

from pydantic import Field

from runtime.providers.vector_io._shared.config import VectorConfig


class DuckDbConfig(VectorConfig):
    """Where its file is, and what a search may cost."""

    db_path: str | None = Field(
        None,
        description="Its file; relative to the provider's own folder in the server's state. By default"
        " `vectors.duckdb`.",
    )
    memory_limit: str = Field(
        "1GB", pattern=r"^\d+(MB|GB|MiB|GiB)$", description="Memory of all searches together, such as `2GB`."
    )
    threads: int = Field(2, ge=1, description="Threads of one search.")
