"""Qdrant's engine over a folder: imported and opened by the first request."""

from __future__ import annotations

from pathlib import Path

from runtime.provider import ProviderContext
from runtime.providers.vector_io._shared.embedded import EmbeddedVectors, Engine
from runtime.providers.vector_io.qdrant.config import QdrantConfig


def embedded_qdrant(config: QdrantConfig, context: ProviderContext) -> EmbeddedVectors:
    """Qdrant in a folder of the provider's."""
    folder = context.state_dir / Path(config.path or "qdrant").expanduser()

    def opened() -> Engine:
        from runtime.providers.vector_io.qdrant.engine import QdrantEngine

        return QdrantEngine(folder)

    return EmbeddedVectors(context, opened)
