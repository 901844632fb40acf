"""FAISS over files in a folder: imported and opened by the first request."""

from __future__ import annotations

from pathlib import Path

from runtime.provider import ProviderContext
from runtime.providers.vector_io._shared.embedded import EmbeddedVectors, VectorEngine
from runtime.providers.vector_io.faiss.config import FaissConfig


def embedded_faiss(config: FaissConfig, context: ProviderContext) -> EmbeddedVectors:
    """FAISS with files in a folder of the provider's."""
    folder = context.state_dir / Path(config.db_path or "faiss").expanduser()

    def opened() -> VectorEngine:
        from runtime.providers.vector_io.faiss.engine import FaissEngine

        return FaissEngine(folder)

    return EmbeddedVectors(context, opened, folder=folder, is_alone=True)
