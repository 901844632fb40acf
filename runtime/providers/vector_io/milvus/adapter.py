"""Milvus Lite over a file: imported and started by the first request."""

from __future__ import annotations

from pathlib import Path

from runtime.provider import ProviderContext
from runtime.providers.vector_io._shared.embedded import EmbeddedVectors, VectorEngine
from runtime.providers.vector_io.milvus.config import MilvusConfig

_ROOM_BYTES = 32 * 1024**2
"""A full disk ends its program."""


def embedded_milvus(config: MilvusConfig, context: ProviderContext) -> EmbeddedVectors:
    """Milvus Lite in a file of the provider's."""
    path = context.state_dir / Path(config.db_path or "milvus.db").expanduser()

    def opened() -> VectorEngine:
        from runtime.providers.vector_io.milvus.engine import MilvusEngine  # five seconds

        return MilvusEngine(path, consistency_level=config.consistency_level)

    return EmbeddedVectors(context, opened, folder=path.parent, room_bytes=_ROOM_BYTES)
