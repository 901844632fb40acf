"""Settings of sqlite-vec."""

from __future__ import annotations

from pydantic import Field

from runtime.providers.vector_io._shared.config import VectorConfig


class SqliteVecConfig(VectorConfig):
    """Where its file is."""

    db_path: str | None = Field(
        None,
        description="Its file; relative to the provider's own folder in the server's state. By default"
        " `vectors.db`. One that an older system left there keeps its tables, which are not read.",
    )
