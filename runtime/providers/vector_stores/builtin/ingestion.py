"""Files on their way into a vector store, by jobs, which go on after a restart.

An attempt writes a group that nobody sees, and shows all of it at its end, in one transaction with the file's status.
So a file is in a store as a whole or not at all, and never twice, wherever an attempt is interrupted. What may pass,
such as a database that is down, is waited for with growing pauses; see `patience.py`. A file that a store has already
is found as it was until a new attempt has succeeded, and stays so if none does.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from runtime.access import SYSTEM, Caller
from runtime.errors import StackError
from runtime.http.context_length import CODE
from runtime.provider import ProviderContext
from runtime.providers.vector_stores.builtin.carried import Carried
from runtime.providers.vector_stores.builtin.contextual import PARAM as CHUNKING_PARAM
from runtime.providers.vector_stores.builtin.embedding import EMBEDDING_PARAM
from runtime.providers.vector_stores.builtin.indexes import Indexes, VectorIndex
from runtime.providers.vector_stores.builtin.indexing import FileIndexing, Report, about
from runtime.providers.vector_stores.builtin.patience import postponed, was_postponed
from runtime.providers.vector_stores.builtin.tables import ATTACHMENT, BATCH_FILES, FILES, GROUPS, STORES
from runtime.providers.vector_stores.builtin.writing import Draft, Shown, Writing
from runtime.storage import sql
from runtime.storage.jobs import RunningJob

log = logging.getLogger(__name__)
_ATTEMPTS = 3
_UNSUPPORTED = {"unsupported_document", "unsupported_media_type"}
_NOT_OF_THE_FILE = {EMBEDDING_PARAM, CHUNKING_PARAM}
"""What errors name that are of the store, its models and how it is cut."""
_TOO_LONG = "attach it with a smaller `max_chunk_size_tokens`: models count tokens each in its own way"


class Ingestion:
    """rows: all users' rows. concurrency: how many files at once."""

    def __init__(
        self,
        rows: sql.SqlStore,
        context: ProviderContext,
        *,
        indexes: Indexes,
        indexing: FileIndexing,
        writing: Writing,
        concurrency: int,
    ) -> None:
        self._rows = rows
        self._indexes = indexes
        self._indexing = indexing
        self._writing = writing
        self._carried = Carried()
        self.jobs = context.jobs.handle(
            f"ingest:{context.provider_id}", self._run, concurrency=concurrency, attempts=_ATTEMPTS, prefix=ATTACHMENT
        )

    async def enqueue(self, row: sql.Row, user: Caller) -> None:
        """Ingest an attached file, whose row is on disk, for a user; may be repeated. Raises Unavailable."""
        self._carried.keep(row["attachment"])
        await self.jobs.add({"id": row["id"]}, user=user, job_id=row["attachment"])

    async def fail(self, row: sql.Row, error: Mapping[str, str], report: Report | None = None) -> None:
        """Say that an attached file could not be ingested, unless it has ended or was attached again."""
        ended = {"status": "failed", "last_error": dict(error), "report": (report or Report()).shown()}
        await self._without(row["store_id"], [row], ended)

    async def cancel(self, store_id: str, rows: Sequence[sql.Row]) -> None:
        """Give up attached files that have not ended. rows: with `id`, `file_id` and `attachment`, of one store."""
        await self._without(store_id, rows, {"status": "cancelled", "last_error": None, "report": None})
        for row in rows:
            await self.jobs.cancel(row["attachment"], user=SYSTEM)
            self._carried.forget(row["attachment"])

    async def _without(self, store_id: str, rows: Sequence[sql.Row], ended: Mapping[str, Any]) -> None:
        """Files without what was to be ingested. ended: how their rows say so, if searches find nothing of them."""
        while True:
            try:
                index = await self._serving(store_id)
            except sql.Stale:
                return  # the store is gone, or has expired

            async def statements(index: VectorIndex, version: int) -> list[sql.Statement]:
                found = await self._found(index, [row["file_id"] for row in rows])
                return [step for row in rows for step in _given_up(row, found.get(row["file_id"]), ended)]

            try:
                await self._indexes.change(index.number, partial(statements, index))
            except sql.Stale:
                continue  # another index has taken its place
            return

    async def _found(self, index: VectorIndex, file_ids: Sequence[str]) -> dict[str, sql.Row]:
        """The groups of those files that searches find."""
        live = sql.eq("index_number", index.number) & sql.eq("state", "live") & sql.one_of("source", file_ids)
        columns = ("source", "content", "attributes", "about")
        rows = await self._rows.select(sql.Select(GROUPS, live, columns))
        return {row["source"]: row for row in rows if row["about"] is not None}

    async def _run(self, running: RunningJob) -> object:
        with self._carried.along(running.id):
            return await self._attempted(running)

    async def _attempted(self, running: RunningJob) -> object:
        row, report = None, Report()
        try:
            row = await self._rows.first(sql.Select(FILES, sql.eq("id", running.payload["id"])))
            if row is None or row["attachment"] != running.id or row["status"] != "in_progress":
                return None  # detached, cancelled, or attached again
            await self._ingest(row, report, is_again=was_postponed(running) > 0)
        except sql.Stale:
            return None  # as above, meanwhile
        except StackError as error:
            if (later := postponed(running, error)) is not None:
                raise later from error
            if row is None:
                raise
            await self.fail(row, _last_error(error), report)
        except Exception as error:
            if row is None or running.attempt < _ATTEMPTS:
                raise
            log.exception("a file could not be ingested", extra={"file_id": row["file_id"]})
            message = f"it failed with `{type(error).__name__}`"
            await self.fail(row, {"code": "server_error", "message": message}, report)
        return None

    async def _ingest(self, row: sql.Row, report: Report, *, is_again: bool) -> None:
        """Raises Stale if the file is no longer to be ingested."""
        while True:
            index = await self._serving(row["store_id"])
            try:
                await self._write(index, row, report, is_again=is_again)
            except StackError:
                if not await self._indexes.is_retired(index.number):
                    raise
            else:
                return

    async def _write(self, index: VectorIndex, row: sql.Row, report: Report, *, is_again: bool) -> None:
        draft = await self._indexing.write(index, row, report, is_again=is_again)
        try:
            await self._publish(draft, row, report)
        except BaseException:  # a job that is cancelled may clean up
            await self._writing.abandon(draft)
            raise

    async def _publish(self, draft: Draft, row: sql.Row, report: Report) -> None:
        """Show what was written of a file, with the attributes that it has now. Raises Stale if it was detached,
        cancelled or attached again, or if the index is retired.
        """
        facts = about(row, draft, report)
        done = {"status": "completed", "last_error": None, **{name: facts[name] for name in _OF_ROW}}

        async def now() -> Shown:
            found = await self._rows.first(sql.Select(FILES, _still(row), ("attributes",)))
            if found is None:
                raise sql.Stale(f"`{row['id']}` is no longer to be ingested")
            steps = [sql.Update(FILES, done, _still(row), expect=1), _in_batch(row, {"status": "completed"})]
            return Shown(found["attributes"], facts, steps)

        await self._writing.publish(draft, now)

    async def _serving(self, store_id: str) -> VectorIndex:
        """The index that a store is searched in. Raises Stale if the store is gone or has expired."""
        store = await self._rows.first(sql.Select(STORES, sql.eq("id", store_id), ("index_number",)))
        index = await self._indexes.get(store["index_number"]) if store else None
        if index is None:
            raise sql.Stale(f"the vector store `{store_id}` is gone")
        return index


_OF_ROW = ("cut", "usage_bytes", "report")


def _still(row: sql.Row) -> sql.Condition:
    """The row of a file that is still to be ingested as it was attached."""
    return sql.eq("id", row["id"]) & sql.eq("attachment", row["attachment"]) & sql.eq("status", "in_progress")


def _in_batch(row: sql.Row, values: Mapping[str, Any]) -> sql.Update:
    """The statement that says it of a file's batch, if it has one."""
    return sql.Update(BATCH_FILES, values, sql.eq("id", row["attachment"]) & sql.eq("status", "in_progress"))


def _given_up(row: sql.Row, found: sql.Row | None, ended: Mapping[str, Any]) -> list[sql.Statement]:
    """The statements that end an attempt without success. found: the group that the file still has."""
    values = {"usage_bytes": 0, **ended}
    if found is not None:
        values = {**found["about"], "attributes": found["attributes"], "status": "completed"}
        values["last_error"] = ended["last_error"]
        if found["content"].startswith(ATTACHMENT):  # else some of its chunks were replaced
            values["attachment"] = found["content"]
    in_batch = {name: ended[name] for name in ("status", "last_error")}
    return [sql.Update(FILES, values, _still(row)), _in_batch(row, in_batch)]


def _last_error(error: StackError) -> dict[str, str]:
    """As OpenAI's `last_error` has it."""
    if error.status == 429:
        code = "rate_limit_exceeded"
    elif error.status >= 500 or error.param in _NOT_OF_THE_FILE:
        code = "server_error"
    else:
        code = "unsupported_file" if error.code in _UNSUPPORTED else "invalid_file"
    hint = error.hint or (_TOO_LONG if error.code == CODE else None)
    return {"code": code, "message": f"{error.message}; {hint}" if hint else error.message}
