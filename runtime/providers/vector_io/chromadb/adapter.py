"""Chroma's persistent client: imported and opened by the first request."""

from __future__ import annotations

from pathlib import Path

from runtime.provider import ProviderContext
from runtime.providers.vector_io._shared.embedded import EmbeddedVectors, Engine
from runtime.providers.vector_io.chromadb.config import ChromaConfig


def embedded_chroma(config: ChromaConfig, context: ProviderContext) -> EmbeddedVectors:
    """Chroma in a folder of the provider's."""
    folder = context.state_dir / Path(config.db_path or "chroma").expanduser()

    def opened() -> Engine:
        from runtime.providers.vector_io.chromadb.engine import ChromaEngine  # two seconds

        return ChromaEngine(folder)

    return EmbeddedVectors(context, opened)
