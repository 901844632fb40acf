"""The registry of models, with what only models have: lists from providers, names that no provider listed, types, and
entries of the run config that depend on a provider's list.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar

from pydantic import BaseModel
from pydantic_core import to_json

from runtime.access import as_owner
from runtime.apis._api import Operation
from runtime.apis._price import MEMBER
from runtime.apis._request import Request
from runtime.apis.models import ConfiguredModel, RegisterModelRequest, fields_of
from runtime.catalog import called_at
from runtime.context import current
from runtime.errors import RequestError, StackError, Unavailable
from runtime.provider import ListedModel
from runtime.routing.declared import FirstListed, Listed
from runtime.routing.entry import Entry
from runtime.routing.listed_models import usable
from runtime.routing.prices import Prices
from runtime.routing.registry import Registry
from runtime.routing.table import Declared
from runtime.sse import Reply


class ModelsRegistry(Registry):
    """The registry of models."""

    lists_with: ClassVar[str] = "list_models"
    may_be_paths: ClassVar[bool] = True
    _answer: tuple[list[Entry], Reply] | None = None

    def serve_listed(self, provider_id: str, listed: Iterable[ListedModel]) -> str:
        """Replace the models that a provider lists. Returns a note about those that were left out. Raises TypeError for
        what is not a list of models.
        """
        found = usable(provider_id, listed, vendor=self._table.vendors.get(provider_id, ""))
        self._table.replace_listed(provider_id, found.entries)
        return found.note

    async def list_all(self, operation: Operation, request: Request) -> Reply:
        """The list as bytes, made once for each state of the table, since clients ask for it often. Callers who see the
        same models get the same list.
        """
        entries = self._table.entries(current().user)
        if self._answer is None or self._answer[0] is not entries:
            shown = (self._with_price(entry).without_secrets() for entry in entries)
            models = {"object": "list", "data": [fields_of(entry) for entry in shown]}
            self._answer = entries, Reply(to_json(models, inf_nan_mode="null"))
        return self._answer[1]

    async def get(self, request: Request) -> Any:
        return self.resource.shown(self._with_price(await self.resolve(getattr(request, self.resource.id_field))))

    @cached_property
    def prices(self) -> Prices:
        """By which calls are counted."""
        return Prices(self._table)

    def _with_price(self, entry: Entry) -> Entry:
        """With the price that its calls are counted by, where one is known, among its facts."""
        price = self.prices(entry.provider_id, entry.provider_resource_id, entry.id)
        if price is None:
            return entry
        shown, stated = price.shown(), entry.metadata.get(MEMBER)
        if isinstance(stated, Mapping) and {**stated, "source": ""} == {**shown, "source": ""}:
            return entry
        return replace(entry, metadata={**entry.metadata, MEMBER: shown})

    async def resolve(self, name: str) -> Entry:
        """As `Registry.resolve`. Raises StackError as that does. If a name starts with a provider that has not
        listed the model, that provider is asked again first. A Llama model is found by its canonical id too.
        """
        user = current().user
        if (entry := self._table.names.find(name, user)) is not None:
            return self._as_its_vendor_calls_it(entry)
        guess = None if self._table.declared(name) else self._table.split(name)
        if guess is None:
            # At the start, an unknown name waits for the providers' first lists.
            await self._listings.wait_for_first()
        else:
            await self._listings.ask_again(guess.provider_id)
        if (entry := self._table.find(name, user)) is not None:
            return self._as_its_vendor_calls_it(entry)
        if guess is not None and not self._table.lists(guess.provider_id):
            return self._as_its_vendor_calls_it(guess)
        raise self._unknown(name)

    def _as_its_vendor_calls_it(self, entry: Entry) -> Entry:
        """An entry that has a canonical id where its provider's own name belongs, unless the provider lists that. One
        without a slash may as well be a name of the user's own, such as of a deployment.
        """
        vendor, name = self._table.vendors.get(entry.provider_id), entry.provider_resource_id
        if vendor is None or "/" not in name or self._table.find_listed(entry.provider_id, name) is not None:
            return entry
        called = called_at(vendor, name)
        return entry if called is None else replace(entry, provider_resource_id=called.name)

    def _unknown(self, name: str) -> StackError:
        error, declared = self._table.unknown(name, current().user), self._table.declared(name)
        trouble = self._listings.trouble(declared.provider_id) if declared and declared.provider_id else ""
        if isinstance(error, Unavailable) and trouble:
            return Unavailable(f"{error.message}: {trouble}", param=error.param, code=error.code, headers=error.headers)
        return error

    def entry_of(self, request: Request) -> Entry:
        """A model of a provider, or another name for a known model, which then has the same type and metadata.

        Raises RequestError as `Registry.entry_of`, and for an embedding model without its dimension.
        """
        assert isinstance(request, RegisterModelRequest)
        self._check_name(request.model_id)
        user = current().user
        wanted = request.provider_model_id or request.model_id
        target = None if request.provider_id else self._table.find(wanted, user)
        provider_id = target.provider_id if target else request.provider_id or self.only_provider(request)
        if target is None:
            self._check_provider(provider_id)
            target = self._table.find(f"{provider_id}/{wanted}", user)
        present = self._table.of_run_config(request.model_id, user)
        if present is not None and target is not None and target.full_id == present.full_id:
            target = present
        own_name = target.provider_resource_id if target else wanted
        metadata = {**(target.metadata if target else {}), **self._lasting(request, provider_id, own_name)}
        kind = request.model_type or (target.kind if target else "") or "llm"
        if present is not None and not present.kind and kind == "llm":
            kind = present.kind  # a model without a type is for chat
        if kind == "embedding" and "embedding_dimension" not in metadata:
            raise RequestError(
                f"Embedding model `{request.model_id}` is registered without its dimension",
                hint='give `metadata: {"embedding_dimension": N}`',
                param="metadata",
            )
        return Entry(
            id=request.model_id,
            provider_id=provider_id,
            provider_resource_id=own_name,
            kind=kind,
            metadata=metadata,
            source="registered",
            owner=as_owner(user),
        )

    def _lasting(self, request: RegisterModelRequest, provider_id: str, own_name: str) -> dict[str, Any]:
        """What a request says of a model, without the price that it was told here: of a list, of which the next version
        has another.
        """
        price = request.metadata.get(MEMBER)
        listed = self.prices.listed(provider_id, own_name) if price is not None else None
        is_ours = listed is not None and listed.shown() == price
        return {name: value for name, value in request.metadata.items() if name != MEMBER or not is_ours}

    def restored(self, entry: Entry) -> Entry:
        """Unchanged: a model has only fields that every entry has."""
        return entry

    def configured(self, given: BaseModel, provider_id: str) -> Entry | Declared:
        """An entry; for `auto` and for a validated model a declared name, which depends on the provider's list."""
        assert isinstance(given, ConfiguredModel)
        common: dict[str, Any] = {"provider_id": provider_id, "metadata": given.metadata}
        if given.provider_model_id == "auto":
            # A model without a type is for chat, as everywhere.
            kinds = ("", "llm") if given.model_type == "llm" else (given.model_type,)
            return FirstListed(name=given.model_id, kinds=kinds, **common)
        own_name = given.provider_model_id or given.model_id
        if given.model_validation:
            return Listed(name=given.model_id, wanted=own_name, kind=given.model_type, **common)
        return Entry(id=given.model_id, provider_resource_id=own_name, kind=given.model_type, source="config", **common)


REGISTRY = ModelsRegistry
