"""Qdrant's engine over a folder: imported and opened by the first request."""

from __future__ import annotations

from pathlib import Path

from runtime.provider import ProviderContext
from runtime.providers.vector_io._shared.embedded import EmbeddedVectors, VectorEngine
from runtime.providers.vector_io.qdrant.config import QdrantConfig

_ROOM_BYTES = 128 * 1024**2
"""It writes into files in memory that take their place on the disk as they fill: a full one ends the whole process."""


def embedded_qdrant(config: QdrantConfig, context: ProviderContext) -> EmbeddedVectors:
    """Qdrant in a folder of the provider's."""
    folder = context.state_dir / Path(config.path or "qdrant").expanduser()

    def opened() -> VectorEngine:
        from runtime.providers.vector_io.qdrant.engine import QdrantEngine

        return QdrantEngine(folder)

    return EmbeddedVectors(context, opened, folder=folder, is_alone=True, room_bytes=_ROOM_BYTES)
