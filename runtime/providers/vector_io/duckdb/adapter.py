"""DuckDB in a file: imported and opened by the first request."""

from __future__ import annotations

from pathlib import Path

from runtime.provider import ProviderContext
from runtime.providers.vector_io._shared.embedded import EmbeddedVectors, VectorEngine
from runtime.providers.vector_io.duckdb.config import DuckDbConfig


def embedded_duckdb(config: DuckDbConfig, context: ProviderContext) -> EmbeddedVectors:
    """DuckDB in a file of the provider's."""
    path = context.state_dir / Path(config.db_path or "vectors.duckdb").expanduser()

    def opened() -> VectorEngine:
        from runtime.providers.vector_io.duckdb.engine import DuckDbEngine

        return DuckDbEngine(path, config)

    return EmbeddedVectors(context, opened, folder=path.parent)
