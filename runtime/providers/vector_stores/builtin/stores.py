"""Vector stores themselves: made, listed, changed, deleted, and found for whoever works with one."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runtime.apis._paging import PageRequest
from runtime.apis.vector_stores.store import (
    CreateVectorStoreRequest,
    UpdateVectorStoreRequest,
    VectorStore,
    VectorStoreList,
)
from runtime.clock import stamp
from runtime.context import current
from runtime.errors import Conflict, NotFound, RequestError, Unavailable
from runtime.ids import new_position, ordered_id
from runtime.providers.vector_stores.builtin.config import VectorStoresConfig, name_of
from runtime.providers.vector_stores.builtin.described import described, is_over
from runtime.providers.vector_stores.builtin.embedding import EMBEDDING_PARAM, EmbeddingModel, TextEmbedder
from runtime.providers.vector_stores.builtin.index_vectors import IndexVectors
from runtime.providers.vector_stores.builtin.indexes import Indexes, VectorIndex, index_of
from runtime.providers.vector_stores.builtin.tables import (
    BATCH_FILES,
    BATCHES,
    FILES,
    INDEXES,
    STORES,
    WHOLE_INDEX,
)
from runtime.providers.vector_stores.builtin.writing import removal
from runtime.similar import hint_for_provider
from runtime.storage import sql
from runtime.storage.sql.paging import read_page
from runtime.telemetry.changes import note_choice

_DAY_S = 86_400
_TOUCH_AFTER_S = 60
_THERE = sql.either([sql.eq("expires_at", None), sql.above("expires_at", 0)])
"""A store that is deleted or pruned has expired at 0; one whose time has passed is still shown."""


@dataclass(frozen=True)
class Opened:
    """A store and its index that serves."""

    row: sql.Row
    index: VectorIndex

    @property
    def id(self) -> str:
        return str(self.row["id"])


class Stores:
    """rows: all users' rows. provider_ids: of `vector_io`. off: those of it that are off, each with how to
    turn it on. missing: the stores of the run config that are not there yet, each with the reason; `declared.py` keeps
    it.
    """

    def __init__(
        self,
        config: VectorStoresConfig,
        rows: sql.SqlStore,
        vectors: IndexVectors,
        indexes: Indexes,
        embedding: TextEmbedder,
        provider_ids: Sequence[str],
        off: Mapping[str, str],
    ) -> None:
        self._config = config
        self._rows = rows
        self._vectors = vectors
        self._indexes = indexes
        self._embedding = embedding
        self._provider_ids = provider_ids
        self._off = off
        self.missing: dict[str, str] = {}

    async def create(self, request: CreateVectorStoreRequest, *, store_id: str | None = None) -> Opened:
        """A new store without files. store_id: by default, a new one. Raises RequestError for an unknown model or
        provider, Conflict for an id that is taken, Unavailable.
        """
        name = request.embedding_model or name_of(self._config.default_embedding_model)
        model = await self._embedding.model(name)
        chunking = request.chunking_strategy.model_dump(mode="json") if request.chunking_strategy else None
        position, now = new_position(), int(stamp())
        store_id = store_id or ordered_id("vs_", position)
        index = await self.new_index(
            store_id,
            self.provider(request.provider_id),
            model,
            dimension=request.embedding_dimension,
            chunking=chunking,
        )
        days = request.expires_after.days if request.expires_after else None
        row = {
            "id": store_id,
            "position": position,
            "name": request.name or "",
            "description": request.description,
            "metadata": request.metadata or {},
            "created_at": now,
            "last_active_at": now,
            "expires_after_days": days,
            "expires_at": _expiry(now, days),
            "index_number": index.number,
            "next_index": None,
            "reindexing": None,
        }
        mine = sql.eq("number", index.number) & sql.eq("state", "building")
        serves = sql.Update(INDEXES, {"state": "serving"}, mine, expect=1)
        try:
            await self._rows.for_user(current().user).write(sql.Insert(STORES, row), serves)
        except sql.Duplicate:
            await self._rows.write(removal(index, WHOLE_INDEX))
            raise Conflict(f"There is a vector store `{store_id}`", code="already_exists") from None
        except sql.Stale:  # another store of this id was made and deleted meanwhile, and all its indexes with it
            await self._rows.write(removal(index, WHOLE_INDEX))
            return await self.create(request, store_id=store_id)
        return Opened(row, index)

    async def new_index(
        self,
        store_id: str,
        provider_id: str,
        model: EmbeddingModel,
        *,
        dimension: int | None,
        chunking: Mapping[str, Any] | None,
    ) -> VectorIndex:
        """An empty index that serves nobody yet. dimension: by default, what the model makes.

        Raises RequestError if the model makes vectors of another one, and what the backend raises.
        """
        makes = await self._embedding.dimension(model)
        if dimension is not None and dimension != makes:
            raise RequestError(
                f"Model `{model.id}` makes vectors of {makes} numbers, not of {dimension}",
                hint=f"leave out `embedding_dimension`, or give {makes}",
                param="embedding_dimension",
                code="dimension_mismatch",
            )
        number = new_position()
        row = {
            "number": number,
            "store_id": store_id,
            "state": "building",
            "provider_id": provider_id,
            "collection": f"vs_{number:x}",
            "embedding_model": model.id,
            "embedding_source": model.source,
            "dimension": makes,
            "chunking": chunking,
            "version": 0,
            "floor": 0,
        }
        await self._rows.write(sql.Insert(INDEXES, row))
        index = index_of(row)
        try:
            await self._vectors.create(index)
        except RequestError as error:
            error.param = EMBEDDING_PARAM  # it makes vectors that the backend does not take
            raise
        return index

    async def open(self, store_id: str, *, param: str = "vector_store_id") -> Opened:
        """A store of the caller with its index. Raises NotFound, RequestError if it has expired, Unavailable."""
        mine, serving = self._rows.for_user(current().user), sql.eq("store_id", store_id) & sql.eq("state", "serving")
        stores, indexes = await mine.select_each(_one(store_id), sql.Select(INDEXES, serving))
        return await self.opened(self._seen(store_id, stores, param), indexes, param=param)

    async def opened(self, row: sql.Row, indexes: Sequence[sql.Row] = (), *, param: str) -> Opened:
        """A store with its index. indexes: rows that were read besides. Raises RequestError if it has expired,
        Unavailable.
        """
        index = None if is_over(row) else await self._index(row["index_number"], indexes)
        if index is None:
            raise RequestError(
                f"The vector store `{row['id']}` has expired",
                hint="make a new one; `expires_after` says how long it lasts",
                param=param,
                code="vector_store_expired",
            )
        await self._touch(row)
        return Opened(row, index)

    async def get(self, store_id: str, *, param: str = "vector_store_id") -> sql.Row:
        """Raises NotFound for a store that the caller does not see, Unavailable for one of the run config that is not
        there yet.
        """
        mine = self._rows.for_user(current().user)
        return self._seen(store_id, await mine.select(_one(store_id)), param)

    def _seen(self, store_id: str, rows: Sequence[sql.Row], param: str) -> sql.Row:
        """The only row. Raises as `get` does if there is none."""
        if not rows and (why := self.missing.get(store_id)):
            raise Unavailable(
                f"The vector store `{store_id}` of the run config is not there yet: {why}",
                param=param,
                code="vector_store_not_ready",
                headers={"retry-after": "1"},
            )
        if not rows:
            raise NotFound(
                f"There is no vector store `{store_id}`",
                hint="list them with GET /v1/vector_stores",
                param=param,
                code="vector_store_not_found",
            )
        return rows[0]

    async def _index(self, number: int, read: Sequence[sql.Row]) -> VectorIndex | None:
        """The index of this number. read: rows of indexes, without its own if it was made a moment ago."""
        for row in read:
            if row["number"] == number:
                return await self._indexes.known(row)
        return await self._indexes.get(number)

    async def find(self, store_id: str) -> sql.Row | None:
        """None for a store that the caller does not see."""
        mine = self._rows.for_user(current().user)
        return await mine.first(_one(store_id))

    async def page(self, request: PageRequest) -> VectorStoreList:
        """Raises RequestError for a cursor that is no store's id."""
        mine = self._rows.for_user(current().user)
        rows, has_more = await read_page(mine, STORES, request, where=_THERE, what="vector store")
        shown = await self.shown(rows)
        first, last = (shown[0].id, shown[-1].id) if shown else (None, None)
        return VectorStoreList(data=shown, first_id=first, last_id=last, has_more=has_more)

    async def update(self, request: UpdateVectorStoreRequest) -> sql.Row:
        """Change what the request has. Raises NotFound."""
        row = await self.get(request.vector_store_id)
        given, now = request.model_fields_set, int(stamp())
        changes: dict[str, Any] = {"last_active_at": now}
        if "name" in given:
            changes["name"] = request.name or ""
        if "description" in given:
            changes["description"] = request.description
        if "metadata" in given:
            changes["metadata"] = request.metadata or {}
        days = row["expires_after_days"]
        if "expires_after" in given:
            days = request.expires_after.days if request.expires_after else None
        if not is_over(row):
            changes |= {"expires_after_days": days, "expires_at": _expiry(now, days)}
        await self._rows.write(sql.Update(STORES, changes, sql.eq("id", row["id"]) & _THERE))
        return row | changes

    async def delete(self, store_id: str, *, param: str = "vector_store_id") -> None:
        """Nobody sees it any more when this returns; its chunks are removed later. Raises NotFound."""
        await self.forget(await self.get(store_id, param=param))

    async def forget(self, row: sql.Row) -> None:
        """Delete a store, whoever owns it. Nothing happens if it is gone, or if another one has its id by now."""
        with contextlib.suppress(sql.Stale):
            await self._rows.write(*await self._without_index(row), sql.Delete(STORES, _same(row), expect=1))

    def is_there(self, store_id: str) -> sql.Statement:
        """The statement that raises Stale in a transaction for a store that was deleted or has expired meanwhile."""
        serves = sql.eq("id", store_id) & _THERE & sql.above("index_number", 0)
        return sql.Update(STORES, {"id": store_id}, serves, expect=1)

    async def end(self, row: sql.Row) -> None:
        """Leave of a store only that it has expired. Nothing happens if it is gone, if another one has its id by now,
        or if it lasts longer.
        """
        gone = {"index_number": 0, "next_index": None, "reindexing": None}
        over = _same(row) & sql.eq("expires_at", row["expires_at"])
        with contextlib.suppress(sql.Stale):
            await self._rows.write(*await self._without_index(row), sql.Update(STORES, gone, over, expect=1))

    async def _without_index(self, row: sql.Row) -> list[sql.Statement]:
        mine = sql.eq("store_id", row["id"])
        indexes = [index_of(one) for one in await self._rows.select(sql.Select(INDEXES, mine))]
        return [
            sql.Delete(FILES, mine),
            sql.Delete(BATCHES, mine),
            sql.Delete(BATCH_FILES, mine),
            sql.Update(INDEXES, {"state": "retired"}, mine),
            *(removal(index, WHOLE_INDEX) for index in indexes),
        ]

    async def shown(self, rows: Sequence[sql.Row]) -> list[VectorStore]:
        """Stores as the API has them."""
        return await described(self._rows, rows)

    async def numbers(self, store_id: str) -> list[int]:
        """The index that serves, and the one that is to replace it; none if the store is gone or has expired."""
        columns = ("index_number", "next_index")
        row = await self._rows.first(sql.Select(STORES, sql.eq("id", store_id), columns))
        return [*dict.fromkeys(row[column] for column in columns if row[column])] if row else []

    def provider(self, given: str | None) -> str:
        """The provider of `vector_io` for a new index. Raises RequestError for one that is not there."""
        known = self._provider_ids
        if given is not None and given not in known:
            raise RequestError(
                f"No vector_io provider has the id `{given}`",
                hint=hint_for_provider(given, known, self._off),
                param="provider_id",
                code="unknown_provider",
            )
        if given is not None or len(known) == 1:
            return given or known[0]
        why = "the run config's default" if self._config.default_provider_id else "the first of the run config"
        chosen = self._config.default_provider_id or known[0]
        note_choice(f"provider `{chosen}` of {len(known)} for the vectors: {why}, since none was named")
        return chosen

    async def _touch(self, row: sql.Row) -> None:
        """Note that a store is used, so that it does not expire and is not pruned; not each time: it costs a commit."""
        now, days = int(stamp()), row["expires_after_days"]
        if now - row["last_active_at"] >= _TOUCH_AFTER_S:
            used = {"last_active_at": now, "expires_at": _expiry(now, days)}
            await self._rows.write(sql.Update(STORES, used, sql.eq("id", row["id"]) & _THERE))


def _one(store_id: str) -> sql.Select:
    return sql.Select(STORES, sql.eq("id", store_id) & _THERE)


def _same(row: sql.Row) -> sql.Condition:
    """The store of this row, and not one that was made under its id since."""
    return sql.eq("id", row["id"]) & sql.eq("position", row["position"])


def _expiry(now: int, days: int | None) -> int | None:
    return None if days is None else now + days * _DAY_S


def expired(now: int) -> sql.Condition:
    """The stores whose time has passed and of which more than that is left."""
    return sql.Condition("expires_at > 0 AND expires_at <= ? AND index_number > 0", (now,))
