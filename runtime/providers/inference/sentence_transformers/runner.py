"""One encoder in memory: what the pool loads and unloads. Knows no requests."""

from __future__ import annotations

import asyncio
from typing import Any

from runtime.engine.encoders.embedder import Embedder
from runtime.engine.encoders.memory import encoder_bytes
from runtime.engine.memory.hardware import give_back_memory
from runtime.engine.memory.needs import DoesNotFit
from runtime.providers.inference._pool_members import NoRoom


class EncoderRunner:
    """An encoder's thread, which runs between `load` and `unload`."""

    progress: float | None = None

    def __init__(self, name: str, embedder: Embedder) -> None:
        self._name = name
        self.embedder = embedder

    async def load(self, *, may_shrink: bool) -> None:
        """Load it; it takes the same memory in any case. Raises NoRoom, and CheckpointInvalid for damaged files."""
        try:
            await self.embedder.start()
        except DoesNotFit as error:
            raise NoRoom(
                f"Model `{self._name}` does not fit into memory: {error.message}",
                hint=error.hint,
                missing_bytes=error.missing_bytes,
            ) from error
        except asyncio.CancelledError:
            await self.embedder.stop()
            raise

    async def unload(self) -> None:
        await self.embedder.stop()
        await asyncio.to_thread(give_back_memory)

    @property
    def works(self) -> bool:
        return True  # its thread survives whatever happens in a step

    @property
    def size_bytes(self) -> int:
        return encoder_bytes(self.embedder.config)

    def facts(self) -> dict[str, Any]:
        return {"max_tokens": self.embedder.max_tokens}

    def condition(self) -> str:
        return f"{self._name}: {self.embedder.waiting} texts to work on"

    def figures(self) -> dict[str, float]:
        return {}
