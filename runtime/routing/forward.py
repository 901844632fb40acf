"""From the owner of a resource to the adapter that serves it, or to the reason why none does. What every router does
last.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

from runtime.errors import NotFound, Unavailable
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
