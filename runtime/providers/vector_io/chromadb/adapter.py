"""Chroma's persistent client: imported and opened by the first request."""

from __future__ import annotations

from pathlib import Path

from runtime.provider import ProviderContext
from runtime.providers.vector_io._shared.embedded import EmbeddedVectors, VectorEngine
from runtime.providers.vector_io.chromadb.config import ChromaConfig

_ROOM_BYTES = 32 * 1024**2
"""On a full disk, version 1.5 waits for its own broken transaction for ever."""


def embedded_chroma(config: ChromaConfig, context: ProviderContext) -> EmbeddedVectors:
    """Chroma in a folder of the provider's."""
    folder = context.state_dir / Path(config.db_path or "chroma").expanduser()

    def opened() -> VectorEngine:
        # Chroma asks for `numpy.typing` first. Where another thread loads numpy at that moment, each waits for the
        # other, and Python lets both go on with half of it.
        import numpy  # noqa: F401

        from runtime.providers.vector_io.chromadb.engine import ChromaEngine  # two seconds

        return ChromaEngine(folder)

    return EmbeddedVectors(context, opened, folder=folder, is_alone=True, room_bytes=_ROOM_BYTES)
