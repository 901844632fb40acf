"""A running embedder, for tests of what its thread does."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from runtime.engine.encoders.embedder import Embedder


@asynccontextmanager
async def running(folder: Path, **settings: Any) -> AsyncIterator[Embedder]:
    """An embedder on one thread of the CPU; nothing of it is left at the end."""
    embedder = Embedder(folder, device="cpu", threads=1, **settings)
    await embedder.start()
    try:
        yield embedder
    finally:
        await embedder.stop()
    assert "embedder" not in [thread.name for thread in threading.enumerate()]
