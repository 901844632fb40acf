"""The vector stores of the run config: each is made at the first start, and what the run config says of it is compared
with it at each later one.

A new name or other metadata are taken over. Another embedding model, dimension or provider is refused with both values:
the store serves as it is, and the provider's health says so. One whose model or database is not there yet is tried
again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from itertools import chain, repeat
from typing import Any

from runtime.access import SYSTEM
from runtime.apis.providers.protocol import ProviderHealth
from runtime.apis.vector_stores.configured import ConfiguredVectorStore
from runtime.apis.vector_stores.older import RegisterVectorDbRequest
from runtime.apis.vector_stores.store import UpdateVectorStoreRequest
from runtime.context import RequestContext, serving
from runtime.errors import Conflict, RequestError, StackError
from runtime.provider import healthy, unhealthy
from runtime.providers.vector_stores.builtin.older import VectorDbs
from runtime.providers.vector_stores.builtin.stores import Opened, Stores
from runtime.storage.sql import owner_of

log = logging.getLogger(__name__)
_PAUSES_S, _SELDOM_S = (1.0, 2.0, 5.0, 10.0, 20.0), 60.0
"""Before each further attempt at those that are not there."""


class _Taken(Conflict):
    """A user's own store has the id: whoever does not see that one is told that there is none, as always."""


class DeclaredStores:
    """given: those of the run config. A store whose id is given twice is given with the same values."""

    def __init__(self, given: Sequence[ConfiguredVectorStore], stores: Stores, vector_dbs: VectorDbs) -> None:
        self._given = {one.vector_store_id: one for one in given}
        self._stores = stores
        self._vector_dbs = vector_dbs
        self._left = dict(self._given)
        self._troubles: dict[str, str] = {}
        stores.missing.update(dict.fromkeys(self._given, "it is being made"))

    async def run(self) -> None:
        """Returns once each is there as the run config has it."""
        for pause_s in chain(_PAUSES_S, repeat(_SELDOM_S)):
            for given in [*self._left.values()]:
                await self._try(given)
            if not self._left:
                return
            await asyncio.sleep(pause_s)

    def health(self) -> ProviderHealth:
        """Degraded while one could not be made, or is another than the run config says."""
        return unhealthy("; ".join(self._troubles.values())) if self._troubles else healthy()

    def check_may_go(self, store_id: str) -> None:
        """Raises Conflict for one that the run config names: it would be there again at the next start, and empty."""
        if store_id in self._given:
            raise Conflict(
                f"Vector store `{store_id}` comes from the run config",
                hint="remove it there first; only other vector stores can be deleted",
            )

    async def _try(self, given: ConfiguredVectorStore) -> None:
        store_id = given.vector_store_id
        try:
            with serving(RequestContext(user=SYSTEM)):  # it is told of a user's own store, too
                await self._make(given)
        except StackError as error:
            if self._troubles.get(store_id) != error.message:
                facts = {"vector_store": store_id, "error": error.message, "hint": error.hint}
                log.error("vector store of the run config is not as it says", extra=facts)
            self._troubles[store_id] = error.message
            if isinstance(error, _Taken):
                self._stores.missing.pop(store_id, None)
            else:
                self._stores.missing[store_id] = error.message
        else:
            del self._left[store_id]
            self._stores.missing.pop(store_id, None)
            self._troubles.pop(store_id, None)

    async def _make(self, given: ConfiguredVectorStore) -> None:
        """Raises Conflict if there is another one with its id, a user's as _Taken, and what making one raises."""
        row = await self._stores.find(given.vector_store_id)
        if row is not None and owner_of(row) is not None:
            raise _Taken(
                f"A user has made a vector store `{given.vector_store_id}`",
                hint="give the one of the run config another id",
            )
        wanted = RegisterVectorDbRequest(
            vector_db_id=given.vector_store_id,
            vector_db_name=given.vector_store_name,
            embedding_model=given.embedding_model,
            embedding_dimension=given.embedding_dimension,
            provider_id=given.provider_id,
        )
        try:
            store = await self._vector_dbs.kept(wanted)
        except Conflict as error:
            error.hint = "change the run config, or reindex the vector store so that it is as the run config says"
            raise
        except RequestError as error:
            if row is None or error.code != "vector_store_expired":
                raise
            await self._stores.forget(row)
            store = await self._vector_dbs.kept(wanted)
        await self._take_over(given, store)

    async def _take_over(self, given: ConfiguredVectorStore, store: Opened) -> None:
        wanted: dict[str, Any] = {"name": given.vector_store_name, "metadata": given.metadata}
        changes = {name: value for name, value in wanted.items() if value not in (None, store.row[name])}
        if changes:
            await self._stores.update(UpdateVectorStoreRequest(vector_store_id=store.id, **changes))
