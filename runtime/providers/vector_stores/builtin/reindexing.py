"""Indexing a store anew, with another model, in other chunks or at another backend, while the old index serves.

A job fills a new index until it has everything that the old one has, and one transaction lets the new one serve, if the
old one has not changed since that was seen. What is attached, inserted, changed or detached meanwhile is noticed by the
difference of the two, so nobody else has to know of it: a group of one index is in the other when that has a group of
the same `content`. After an interruption, the job goes on with what the new index does not have.

A file whose way of being cut changes is read again. All else is taken from its chunks: what is cut as before, what was
inserted, and a file that is no longer stored, which so stays as it was cut. If one file cannot be indexed, the new
index is given up, and the error names the file.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Mapping
from typing import Any

from runtime.access import ANYBODY, SYSTEM, Caller
from runtime.apis.vector_stores.store import FileCounts, Reindexing, ReindexRequest
from runtime.clock import stamp
from runtime.concurrently import concurrently
from runtime.context import current
from runtime.errors import Conflict, NotFound, StackError
from runtime.provider import ProviderContext
from runtime.providers.vector_stores.builtin.carried import Carried
from runtime.providers.vector_stores.builtin.contextual import Contexts
from runtime.providers.vector_stores.builtin.copying import Copying, Difference
from runtime.providers.vector_stores.builtin.embedding import TextEmbedder
from runtime.providers.vector_stores.builtin.indexes import Indexes, VectorIndex
from runtime.providers.vector_stores.builtin.patience import postponed
from runtime.providers.vector_stores.builtin.stores import Stores
from runtime.providers.vector_stores.builtin.tables import FILES, GROUPS, INDEXES, STORES, WHOLE_INDEX, file_key
from runtime.providers.vector_stores.builtin.writing import removal
from runtime.storage import sql
from runtime.storage.jobs import RunningJob

log = logging.getLogger(__name__)
_ATTEMPTS = 3
_SAID_EVERY_S = 1.0
_UPDATED_AT_ONCE = 200


class Reindexings:
    """rows: all users' rows. concurrency: how many groups are written at once."""

    def __init__(
        self,
        rows: sql.SqlStore,
        context: ProviderContext,
        *,
        stores: Stores,
        indexes: Indexes,
        embedding: TextEmbedder,
        contexts: Contexts,
        copying: Copying,
        concurrency: int,
    ) -> None:
        self._rows = rows
        self._stores = stores
        self._indexes = indexes
        self._embedding = embedding
        self._contexts = contexts
        self._copying = copying
        self._concurrency = concurrency
        self._carried = Carried()
        self._jobs = context.jobs.handle(
            f"reindex:{context.provider_id}", self._run, attempts=_ATTEMPTS, prefix="reindex_"
        )

    async def begin(self, request: ReindexRequest) -> Reindexing:
        """Have a store indexed anew. Raises NotFound, RequestError for a model or provider that cannot be used, and
        Conflict while it is being done.
        """
        store = await self._stores.open(request.vector_store_id)
        old, given = store.index, request.chunking_strategy
        if store.row["next_index"] is not None:
            raise _is_running(store.id)
        await self._contexts.check([given])
        model = await self._embedding.model(request.embedding_model or old.embedding_model)
        chunking = given.model_dump(mode="json") if given else None
        new = await self._stores.new_index(
            store.id,
            self._stores.provider(request.provider_id or old.provider_id),
            model,
            dimension=request.embedding_dimension,
            chunking=chunking or old.chunking,
        )
        said = Reindexing(
            vector_store_id=store.id,
            status="in_progress",
            created_at=int(stamp()),
            embedding_model=new.embedding_model,
            embedding_dimension=new.dimension,
            chunking_strategy=given,
            file_counts=_counts(await self._copying.difference(old, new)),
        )
        begun = {"next_index": new.number, "reindexing": said.model_dump(mode="json")}
        free = sql.eq("id", store.id) & sql.eq("index_number", old.number) & sql.eq("next_index", None)
        try:
            await self._rows.write(sql.Update(STORES, begun, free, expect=1))
        except sql.Stale:
            await self._rows.write(*_given_up(new))
            await self._stores.get(store.id)  # which may have been deleted meanwhile
            raise _is_running(store.id) from None
        await self._enqueue(store.row | begun, current().user)
        return said

    async def go_on(self) -> None:
        """Look after those whose job was never added, or has ended without them. Raises Unavailable."""
        for store in await self._rows.select(sql.Select(STORES, sql.above("next_index", 0))):
            try:
                job = await self._jobs.get(_job_id(store["next_index"]), user=SYSTEM)
            except NotFound:
                await self._enqueue(store, sql.owner_of(store) or ANYBODY)
            else:
                new = await self._indexes.get(store["next_index"])
                if job.has_ended and new is not None:
                    words = (job.error or {}).get("message") or "it was interrupted too often"
                    await self._end(store["id"], new, str(words))

    async def _enqueue(self, store: sql.Row, user: Caller) -> None:
        payload = {"store_id": store["id"], "index": store["next_index"]}
        job_id = _job_id(store["next_index"])
        self._carried.keep(job_id)
        await self._jobs.add(payload, user=user, job_id=job_id)

    async def _run(self, running: RunningJob) -> object:
        with self._carried.along(running.id):
            return await self._attempted(running)

    async def _attempted(self, running: RunningJob) -> object:
        store_id, number = running.payload["store_id"], running.payload["index"]
        new = await self._indexes.get(number)
        if new is None:
            return None  # the store is gone
        try:
            await self._reindex(store_id, new)
        except sql.Stale:
            if number in await self._stores.numbers(store_id):
                raise
        except StackError as error:
            if await self._indexes.is_retired(number):
                return None  # the store is gone, and so are the vectors
            if (later := postponed(running, error)) is not None:
                raise later from error
            await self._end(store_id, new, f"{error.message}; {error.hint}" if error.hint else error.message)
        except Exception as error:
            if running.attempt < _ATTEMPTS:
                raise
            log.exception("a vector store could not be indexed anew", extra={"vector_store_id": store_id})
            await self._end(store_id, new, f"it failed with `{type(error).__name__}`")
        return None

    async def _reindex(self, store_id: str, new: VectorIndex) -> None:
        """Raises Stale if the store is gone."""
        row = await self._rows.first(sql.Select(STORES, sql.eq("id", store_id)))
        if row is None or new.number not in (row["index_number"], row["next_index"]):
            return
        if row["index_number"] != new.number:
            old = await self._indexes.get(row["index_number"])
            if old is None:
                return
            said = Reindexing(**row["reindexing"])
            await self._copying.clear(new)
            await self._fill(old, new, said)
            while not await self._replaced(old, new, said):
                await self._fill(old, new, said)
        await self._tell_files(new)
        await self._end(store_id, new, None)

    async def _fill(self, old: VectorIndex, new: VectorIndex, said: Reindexing) -> None:
        """Let the new index have what the old one has now."""
        difference = await self._copying.difference(old, new)
        await self._copying.remove(new, difference.extra)
        chunking = said.chunking_strategy.model_dump(mode="json") if said.chunking_strategy else None
        said.file_counts = _counts(difference)
        said_at = 0.0

        async def one(group: sql.Row) -> None:
            nonlocal said_at
            await self._copying.copy(old, group, new, chunking)
            if group["about"] is not None:
                said.file_counts.completed += 1
                said.file_counts.in_progress -= 1
            if time.monotonic() - said_at >= _SAID_EVERY_S:
                said_at = time.monotonic()
                values = {"reindexing": said.model_dump(mode="json")}
                await self._rows.write(sql.Update(STORES, values, _replaced_by(old.store_id, new)))

        await concurrently(one, difference.missing, at_once=self._concurrency)

    async def _replaced(self, old: VectorIndex, new: VectorIndex, said: Reindexing) -> bool:
        """Let the new index serve if it has all that the old one has. Nothing else begins before it has ended."""
        is_whole = True

        async def statements(version: int) -> list[sql.Statement]:
            nonlocal is_whole
            difference = await self._copying.difference(old, new)
            is_whole = not difference
            if not is_whole:
                return []
            said.file_counts = _counts(difference)
            values = {"index_number": new.number, "reindexing": said.model_dump(mode="json")}
            return [
                sql.Update(STORES, values, _replaced_by(old.store_id, new), expect=1),
                sql.Update(INDEXES, {"state": "serving"}, sql.eq("number", new.number), expect=1),
                sql.Update(INDEXES, {"state": "retired"}, sql.eq("number", old.number), expect=1),
                removal(old, WHOLE_INDEX),
            ]

        await self._indexes.change(old.number, statements)
        return is_whole

    async def _tell_files(self, new: VectorIndex) -> None:
        """Let the rows of files say what is true of them in the index that serves now."""
        after, there = -1, sql.eq("index_number", new.number) & sql.eq("state", "live")
        while groups := await self._rows.select(
            sql.Select(GROUPS, there & sql.above("number", after), (), ("number",), _UPDATED_AT_ONCE)
        ):
            await self._rows.write(*(_told(new, group) for group in groups if group["about"] is not None))
            after = groups[-1]["number"]

    async def _end(self, store_id: str, new: VectorIndex, error: str | None) -> None:
        """Say how it ended. The store stays with its old index unless the new one serves. error: why it failed."""
        mine = _replaced_by(store_id, new)
        row = await self._rows.first(sql.Select(STORES, mine, ("index_number", "reindexing")))
        if row is None:
            return
        said, steps = Reindexing(**row["reindexing"]), list[sql.Statement]()
        if row["index_number"] == new.number:
            said.status = "completed"
        else:
            said.status, said.error, steps = "failed", error, _given_up(new)
            said.file_counts.failed, said.file_counts.in_progress = said.file_counts.in_progress, 0
        values = {"next_index": None, "reindexing": said.model_dump(mode="json")}
        same = mine & sql.eq("index_number", row["index_number"])
        with contextlib.suppress(sql.Stale):  # another attempt has just said it, or the store is gone
            await self._rows.write(sql.Update(STORES, values, same, expect=1), *steps)


def _counts(difference: Difference) -> FileCounts:
    left = difference.missing_files
    return FileCounts(in_progress=left, completed=difference.files - left, total=difference.files)


def _given_up(new: VectorIndex) -> list[sql.Statement]:
    return [sql.Update(INDEXES, {"state": "retired"}, sql.eq("number", new.number)), removal(new, WHOLE_INDEX)]


def _is_running(store_id: str) -> Conflict:
    return Conflict(
        f"The vector store `{store_id}` is being indexed anew",
        hint="its `reindexing` says how far that is",
        code="reindexing",
    )


def _job_id(number: int) -> str:
    """The job that fills an index."""
    return f"reindex_{number:013x}{0:011x}"


def _replaced_by(store_id: str, new: VectorIndex) -> sql.Condition:
    return sql.eq("id", store_id) & sql.eq("next_index", new.number)


def _told(index: VectorIndex, group: sql.Row) -> sql.Update:
    facts: Mapping[str, Any] = group["about"]
    same = sql.eq("id", file_key(index.store_id, group["source"])) & sql.eq("attachment", group["content"])
    return sql.Update(FILES, dict(facts), same & sql.eq("status", "completed"))
