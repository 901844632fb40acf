"""From the owner of a resource to the adapter that serves it, or to the reason why none does. What every router does
last.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, NoReturn, TypeVar

from runtime.apis._api import Api
from runtime.errors import NotFound, NotSupported, Unavailable
from runtime.routing.table import Entry

A = TypeVar("A")


class Owners(Generic[A]):
    """The adapters of one API by provider id. down: why a provider that should be there is not; both change as
    it runs.
    """

    def __init__(self, adapters: Mapping[str, A], down: Mapping[str, str]) -> None:
        self._adapters = adapters
        self._down = down

    def of(self, entry: Entry, *, what: str) -> A:
        """The adapter that owns an entry. what: how the caller named it, for messages.

        Raises Unavailable with the reason where its provider is down, NotFound where it is not configured.
        """
        adapter = self._adapters.get(entry.provider_id)
        if adapter is not None:
            return adapter
        if (reason := self._down.get(entry.provider_id)) is not None:
            raise Unavailable(f"{what} is not available: {reason}", code="provider_unavailable")
        raise NotFound(
            f"{what} belongs to provider `{entry.provider_id}`, which is not configured", code="provider_not_found"
        )


def complete(adapter: Any, api: Api, provider_id: str) -> Any:
    """The adapter as an implementation of its API: a method that it lacks is there too, and raises NotSupported."""
    lacks = [operation.name for operation in api.operations() if not hasattr(adapter, operation.name)]
    return _Partial(adapter, api.name, provider_id, lacks) if lacks else adapter


class _Partial:
    """An adapter that lacks some methods of its API."""

    def __init__(self, adapter: Any, api: str, provider_id: str, lacks: list[str]) -> None:
        self._adapter = adapter
        self._place = api, provider_id
        self._lacks = frozenset(lacks)

    def __getattr__(self, name: str) -> Any:
        if name not in self._lacks:
            return getattr(self._adapter, name)
        api, provider_id = self._place

        def refuse(request: object) -> NoReturn:
            raise NotSupported(f"Provider `{provider_id}` of the API {api} does not offer `{name}`")

        return refuse
