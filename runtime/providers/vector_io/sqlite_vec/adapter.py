"""sqlite-vec in a file: imported and opened by the first request."""

from __future__ import annotations

from pathlib import Path

from runtime.provider import ProviderContext
from runtime.providers.vector_io._shared.embedded import EmbeddedVectors, VectorEngine
from runtime.providers.vector_io.sqlite_vec.config import SqliteVecConfig


def embedded_sqlite_vec(config: SqliteVecConfig, context: ProviderContext) -> EmbeddedVectors:
    """sqlite-vec in a file of the provider's."""
    path = context.state_dir / Path(config.db_path or "vectors.db").expanduser()

    def opened() -> VectorEngine:
        from runtime.providers.vector_io.sqlite_vec.engine import SqliteVecEngine

        return SqliteVecEngine(path)

    return EmbeddedVectors(context, opened, folder=path.parent)
