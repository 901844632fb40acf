"""The models API over the table of models: listing, registrations, and asking providers for names nobody listed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from pydantic_core import to_json

from runtime.apis._request import Empty
from runtime.apis.models import Model, ModelRequest, RegisterModelRequest
from runtime.errors import RequestError, StackError, Unavailable, nearest
from runtime.provider import ListedModel
from runtime.routing.listed import MODEL_TYPES, usable
from runtime.routing.registrations import Registrations
from runtime.routing.table import Entry, ResourceTable
from runtime.sse import Reply


class Listings(Protocol):
    """Who asks providers what they serve, and keeps asking."""

    async def wait_for_first(self) -> None:
        """Returns once every provider has been asked, or after a bounded time."""
        ...

    async def ask_again(self, provider_id: str) -> None:
        """Ask one provider now, unless that was just done. Never raises for what the provider does."""
        ...

    def trouble(self, provider_id: str) -> str:
        """Why a provider's list could not be had; empty where it could."""
        ...


class ModelsRegistry:
    """Implements `Models`. listings: where names are asked for that are not in the table."""

    def __init__(self, table: ResourceTable, registrations: Registrations, listings: Listings) -> None:
        self._table = table
        self._registrations = registrations
        self._listings = listings
        self._answer: tuple[int, Reply] | None = None

    def serve_listed(self, provider_id: str, listed: Iterable[ListedModel]) -> str:
        """Serve what a provider lists from now on. Returns a note on what was left out. Raises TypeError for what is
        no list of models.
        """
        found = usable(provider_id, listed)
        self._table.list_of(provider_id, found.entries)
        return found.note

    async def list_models(self, request: Empty) -> Reply:
        """As bytes, which are made once for each state of the table: clients ask for the list all the time."""
        if self._answer is None or self._answer[0] != self._table.version:
            models = [_fields(entry) for entry in self._table.entries()]
            self._answer = self._table.version, Reply(to_json({"object": "list", "data": models}, inf_nan_mode="null"))
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
        its word is found.

        Raises NotFound with close matches, Unavailable while a declared name has no meaning yet, or RequestError where
        a bare name is ambiguous.
        """
        if (entry := self._table.find(name)) is not None:
            return entry
        guess = None if self._table.declared(name) else self._table.split(name)
        if guess is None:
            # While the providers' first lists are still on their way, an unknown name waits for them.
            await self._listings.wait_for_first()
        else:
            await self._listings.ask_again(guess.provider_id)
        if (entry := self._table.find(name)) is not None:
            return entry
        if guess is not None and not self._table.lists(guess.provider_id):
            return guess
        raise self._unknown(name)

    def _unknown(self, name: str) -> StackError:
        error, declared = self._table.unknown(name), self._table.declared(name)
        trouble = self._listings.trouble(declared.provider_id) if declared and declared.provider_id else ""
        if isinstance(error, Unavailable) and trouble:
            return Unavailable(f"{error.message}: {trouble}", param=error.param, code=error.code, headers=error.headers)
        return error

    def _entry(self, request: RegisterModelRequest) -> Entry:
        if not request.model_id.isprintable() or not request.model_id.strip():
            raise RequestError("A model's name holds characters that can be printed", param="model_id")
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


def _model(entry: Entry) -> Model:
    return Model(**_fields(entry))


def _fields(entry: Entry) -> dict[str, Any]:
    kind = entry.kind if entry.kind in MODEL_TYPES else "llm"
    facts = {"provider_id": entry.provider_id, "provider_resource_id": entry.provider_resource_id, "model_type": kind}
    return {
        "id": entry.id,
        "object": "model",
        "created": entry.created,
        "owned_by": entry.provider_id,
        "custom_metadata": {**facts, **entry.metadata},
        "identifier": entry.id,
        "type": "model",
        "metadata": dict(entry.metadata),
        **facts,
    }


REGISTRY = ModelsRegistry
