"""What the providers of models in our own memory have in common: which models they serve, the pool that loads them, and
how many requests may wait for one that is not loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Generic, Protocol

from runtime.apis.inference.loading import LoadModelRequest, ModelChanged, UnloadModelRequest
from runtime.apis.providers.protocol import ProviderHealth
from runtime.provider import ProviderContext
from runtime.providers.inference._extra_fields import checked_keep_alive
from runtime.providers.inference._model_pool import ModelPool
from runtime.providers.inference._pool_report import figures_of, health_of
from runtime.providers.inference._served_models import E, F, Kind, M, served_models


class Room(Protocol):
    """Where requests wait for a model that is not loaded."""

    def within(self, count: int, size: int) -> AbstractContextManager[None]: ...


class ModelsInMemory(Generic[E, F, M]):
    """max_loaded: as for `ModelPool`. room: makes one for a model, given its name and how many may wait.

    load_timeout_s: the longest that loading one of them may take.
    """

    def __init__(
        self,
        kind: Kind[E, F, M],
        entries: Sequence[E],
        context: ProviderContext,
        *,
        max_loaded: int | None,
        room: Callable[[str, int], Room],
    ) -> None:
        self._served = served_models(kind, entries)
        self._early = {name: room(name, one.entry.max_waiting) for name, one in self._served.items()}
        self.load_timeout_s = max(one.entry.load_timeout_s for one in self._served.values())
        self._pool = ModelPool(
            [one.member() for one in self._served.values()], max_loaded=max_loaded, changed=context.list_changed
        )

    async def start(self) -> None:
        """Load the models that are loaded at the start. Raises CheckpointInvalid, naming the file at fault, where no
        other model can be served.
        """
        await self._pool.preload()

    async def stop(self) -> None:
        await self._pool.close()

    async def check_health(self) -> ProviderHealth:
        return health_of(self._pool.members.values())

    def figures(self) -> dict[str, dict[str, float]]:
        return figures_of(self._pool.members.values())

    async def load_model(self, request: LoadModelRequest) -> ModelChanged:
        await self._pool.load(self._name(request.model), keep_alive_s=checked_keep_alive(request.keep_alive))
        return ModelChanged()

    async def unload_model(self, request: UnloadModelRequest) -> ModelChanged:
        await self._pool.unload(self._name(request.model))
        return ModelChanged()

    def _name(self, model: str) -> str:
        """Which of them a model is computed by; each by itself, unless a provider serves one under several names."""
        return model
