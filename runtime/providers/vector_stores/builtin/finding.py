"""One search in one store, from its id to the hits, also while another index takes the place of the store's."""

from __future__ import annotations

from runtime.errors import StackError
from runtime.providers.vector_stores.builtin.embedding import TextEmbedder
from runtime.providers.vector_stores.builtin.indexes import Indexes, Retired
from runtime.providers.vector_stores.builtin.searching import Found, Search, Searching
from runtime.providers.vector_stores.builtin.stores import Opened, Stores


class Finding:
    def __init__(self, *, stores: Stores, indexes: Indexes, embedding: TextEmbedder, searching: Searching) -> None:
        self._stores = stores
        self._indexes = indexes
        self._embedding = embedding
        self._searching = searching

    async def find(self, store_id: str, asked: Search, *, param: str = "vector_store_id") -> tuple[Opened, list[Found]]:
        """The store and the hits, best first. param: the request's field with the id, for errors.

        Raises NotFound, RequestError for a store that has expired or whose embedding model is another one now, and what
        searching raises.
        """
        while True:
            store = await self._stores.open(store_id, param=param)
            if asked.mode != "keyword":
                await self._embedding.check(store.index)
            try:
                return store, await self._searching.search(store.index, asked)
            except Retired:
                continue
            except StackError:
                if not await self._indexes.is_retired(store.index.number):
                    raise
