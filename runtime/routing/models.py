"""The models API over the table of models: listing, aliases, registrations, and asking providers what they serve."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterable, Mapping
from typing import Any, get_args

from runtime.apis._api import Empty
from runtime.apis.models import Model, ModelList, ModelRequest, ModelType, RegisterModelRequest
from runtime.errors import RequestError, StackError, nearest
from runtime.provider import ListedModel, ListsModels
from runtime.routing.registrations import Registrations
from runtime.routing.table import Entry, ResourceTable
from runtime.sse import Reply

log = logging.getLogger(__name__)
_FIRST_LISTING_S = 10.0
_ASK_AGAIN_S = 3.0
_MODEL_TYPES: tuple[str, ...] = get_args(ModelType)


class ModelsRegistry:
    """Implements `Models`. providers: the inference providers by id, filled while the stack starts them."""

    def __init__(self, table: ResourceTable, registrations: Registrations, providers: Mapping[str, Any]) -> None:
        self._table = table
        self._registrations = registrations
        self._providers = providers
        self._answer: tuple[int, Reply] | None = None
        self._listed_once = asyncio.Event()
        self._asking: dict[str, asyncio.Lock] = {}
        self._asked_at: dict[str, float] = {}
        self._unlisted: set[str] = set()

    async def list_models(self, request: Empty) -> Reply:
        """As bytes, which are made once for each state of the table: clients ask for the list all the time."""
        if self._answer is None or self._answer[0] != self._table.version:
            models = ModelList(data=[_model(entry) for entry in self._table.entries()])
            self._answer = self._table.version, Reply(models.model_dump_json().encode())
        return self._answer[1]

    async def get_model(self, request: ModelRequest) -> Model:
        return _model(await self.resolve(request.model_id))

    async def register_model(self, request: RegisterModelRequest) -> Model:
        entry = self._entry(request)
        await self._registrations.add(entry)
        return _model(entry)

    async def unregister_model(self, request: ModelRequest) -> None:
        await self._registrations.remove(request.model_id)

    async def resolve(self, name: str) -> Entry:
        """The entry to serve `name` with. A provider that is named but has not listed it is asked once more before
        its word is taken.

        Raises NotFound with close matches, or RequestError where a bare name is ambiguous.
        """
        if (entry := self._table.find(name)) is not None:
            return entry
        guess = self._table.split(name)
        if guess is None:
            return await self._resolve_late(name)
        await self._ask_again(guess.provider_id)
        if (entry := self._table.find(name)) is not None:
            return entry
        if isinstance(self._providers.get(guess.provider_id), ListsModels) and self._table.lists(guess.provider_id):
            raise self._table.unknown(name)
        return guess

    async def _ask_again(self, provider_id: str) -> None:
        """List one provider's models, unless somebody just did: unknown names must not multiply calls upstream."""
        async with self._asking.setdefault(provider_id, asyncio.Lock()):
            if time.monotonic() - self._asked_at.get(provider_id, -_ASK_AGAIN_S) < _ASK_AGAIN_S:
                return
            await self.refresh([provider_id])
            self._asked_at[provider_id] = time.monotonic()

    async def _resolve_late(self, name: str) -> Entry:
        """While the providers' first lists are still on their way, an unknown name waits for them."""
        if not self._listed_once.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._listed_once.wait(), _FIRST_LISTING_S)
            if (entry := self._table.find(name)) is not None:
                return entry
        raise self._table.unknown(name)

    async def refresh_first(self) -> None:
        """The first listing of all providers."""
        try:
            await self.refresh()
        finally:
            self._listed_once.set()

    async def refresh(self, provider_ids: Iterable[str] | None = None) -> None:
        """Ask providers for their models, all at once; one that fails keeps what it last listed."""
        asked = self._table.providers if provider_ids is None else tuple(provider_ids)
        await asyncio.gather(*(self._refresh_one(provider_id) for provider_id in asked))

    async def refresh_unlisted(self) -> None:
        """Ask those again that failed to answer the last time: an upstream that comes back is served soon."""
        await self.refresh(tuple(self._unlisted))

    async def _refresh_one(self, provider_id: str) -> None:
        provider = self._providers.get(provider_id)
        if not isinstance(provider, ListsModels):
            self._unlisted.discard(provider_id)
            return
        try:
            listed = await provider.list_models()
        except StackError as error:
            if provider_id not in self._unlisted:
                log.warning("models not listed", extra={"provider_id": provider_id, "error": error.message})
            self._unlisted.add(provider_id)
            return
        except Exception:
            # A bug in one provider, which the others and the start of the stack must survive.
            log.exception("models not listed", extra={"provider_id": provider_id})
            return
        self._unlisted.discard(provider_id)
        self._table.list_of(provider_id, (_listed(provider_id, model) for model in listed))

    def _entry(self, request: RegisterModelRequest) -> Entry:
        wanted = request.provider_model_id or request.model_id
        provider_id = request.provider_id
        target = None if provider_id else self._table.find(wanted)
        if target is None and provider_id is None:
            provider_id = self._only_provider(request.model_id)
        if target is None:
            assert provider_id is not None
            if provider_id not in self._table.providers:
                close = nearest(provider_id, self._table.providers)
                known = ", ".join(f"`{known}`" for known in close or self._table.providers)
                raise RequestError(
                    f"No inference provider has the id `{provider_id}`", hint=f"use one of {known}", param="provider_id"
                )
            target = self._table.find(f"{provider_id}/{wanted}")
        metadata = {**(target.metadata if target else {}), **request.metadata}
        kind = request.model_type or (target.kind if target else "") or "llm"
        if kind == "embedding" and "embedding_dimension" not in metadata:
            raise RequestError(
                f"Embedding model `{request.model_id}` is registered without its dimension",
                hint='give `metadata: {"embedding_dimension": N}`',
                param="metadata",
            )
        return Entry(
            id=request.model_id,
            provider_id=target.provider_id if target else provider_id or "",
            provider_resource_id=target.provider_resource_id if target else wanted,
            kind=kind,
            metadata=metadata,
            source="registered",
        )

    def _only_provider(self, model_id: str) -> str:
        if len(self._table.providers) == 1:
            return self._table.providers[0]
        known = ", ".join(f"`{provider_id}`" for provider_id in self._table.providers) or "none is configured"
        raise RequestError(
            f"Several providers could serve `{model_id}`", hint=f"give `provider_id`: {known}", param="provider_id"
        )


def _listed(provider_id: str, model: ListedModel) -> Entry:
    return Entry(
        id=f"{provider_id}/{model.provider_model_id}",
        provider_id=provider_id,
        provider_resource_id=model.provider_model_id,
        kind=model.model_type or "",
        metadata=dict(model.metadata),
    )


def _model(entry: Entry) -> Model:
    kind: Any = entry.kind if entry.kind in _MODEL_TYPES else "llm"
    return Model(
        id=entry.id,
        created=entry.created,
        owned_by=entry.provider_id,
        custom_metadata={
            "model_type": kind,
            "provider_id": entry.provider_id,
            "provider_resource_id": entry.provider_resource_id,
            **entry.metadata,
        },
        identifier=entry.id,
        provider_id=entry.provider_id,
        provider_resource_id=entry.provider_resource_id,
        model_type=kind,
        metadata=dict(entry.metadata),
    )


REGISTRY = ModelsRegistry
