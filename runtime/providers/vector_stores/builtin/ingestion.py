"""Files on their way into a vector store, by jobs, which go on after a restart.

An attempt writes a group that nobody sees, and shows all of it at its end, in one transaction with the file's status.
So a file is in a store as a whole or not at all, and never twice, wherever an attempt is interrupted.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from runtime.context import RequestContext, current, serving
from runtime.errors import StackError
from runtime.provider import ProviderContext
from runtime.providers.vector_stores.builtin.contextual import PARAM as CHUNKING_PARAM
from runtime.providers.vector_stores.builtin.embedding import EMBEDDING_PARAM
from runtime.providers.vector_stores.builtin.indexes import Index, Indexes
from runtime.providers.vector_stores.builtin.indexing import FileIndexing, Report, about
from runtime.providers.vector_stores.builtin.patience import may_pass
from runtime.providers.vector_stores.builtin.tables import FILES, STORES
from runtime.providers.vector_stores.builtin.writing import Draft, Shown, Writing
from runtime.storage.jobs import RunningJob
from runtime.storage.sql import Condition, Row, Select, SqlStore, Stale, Update, eq

log = logging.getLogger(__name__)
_ATTEMPTS = 3
_UNSUPPORTED = {"unsupported_document", "unsupported_media_type"}
_NOT_OF_THE_FILE = {EMBEDDING_PARAM, CHUNKING_PARAM}
"""What errors name that are of the store, its models and how it is cut."""


class Ingestion:
    """rows: all users' rows. concurrency: how many files at once."""

    def __init__(
        self,
        rows: SqlStore,
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
        self.jobs = context.jobs.handle(
            f"ingest:{context.provider_id}", self._run, concurrency=concurrency, attempts=_ATTEMPTS, prefix="ingest_"
        )

    async def enqueue(self, row: Row) -> None:
        """Ingest an attached file, whose row is on disk, for the current user; may be repeated. Raises Unavailable."""
        await self.jobs.add({"id": row["id"]}, user=current().user, job_id=row["attachment"])

    async def fail(self, row: Row, error: Mapping[str, str], report: Report | None = None) -> None:
        """Say that an attached file could not be ingested, unless it has ended or was attached again."""
        values = {"status": "failed", "last_error": dict(error), "report": (report or Report()).shown()}
        await self._rows.write(Update(FILES, values, _still(row)))

    async def _run(self, running: RunningJob) -> object:
        row = await self._rows.first(Select(FILES, eq("id", running.payload["id"])))
        if row is None or row["attachment"] != running.id or row["status"] != "in_progress":
            return None  # detached, cancelled, or attached again
        report = Report()
        try:
            with serving(RequestContext(user=running.user)):
                await self._ingest(row, report)
        except Stale:
            return None  # as above, meanwhile
        except StackError as error:
            if may_pass(error) and running.attempt < _ATTEMPTS:
                raise
            await self.fail(row, _last_error(error), report)
        except Exception as error:
            if running.attempt < _ATTEMPTS:
                raise
            log.exception("a file could not be ingested", extra={"file_id": row["file_id"]})
            message = f"it failed with `{type(error).__name__}`"
            await self.fail(row, {"code": "server_error", "message": message}, report)
        return None

    async def _ingest(self, row: Row, report: Report) -> None:
        """Raises Stale if the file is no longer to be ingested."""
        while True:
            index = await self._serving(row["store_id"])
            try:
                await self._write(index, row, report)
            except StackError:
                if not await self._indexes.is_retired(index.number):
                    raise
            else:
                return

    async def _write(self, index: Index, row: Row, report: Report) -> None:
        draft = await self._indexing.write(index, row, report)
        try:
            await self._publish(draft, row, report)
        except BaseException:  # a job that is cancelled may clean up
            await self._writing.abandon(draft)
            raise

    async def _publish(self, draft: Draft, row: Row, report: Report) -> None:
        """Show what was written of a file, with the attributes that it has now. Raises Stale if it was detached,
        cancelled or attached again, or if the index is retired.
        """
        facts = about(row, draft, report)
        done = {"status": "completed", "last_error": None, **{name: facts[name] for name in _OF_ROW}}

        async def now() -> Shown:
            found = await self._rows.first(Select(FILES, _still(row), ("attributes",)))
            if found is None:
                raise Stale(f"`{row['id']}` is no longer to be ingested")
            return Shown(found["attributes"], facts, [Update(FILES, done, _still(row), expect=1)])

        await self._writing.publish(draft, now)

    async def _serving(self, store_id: str) -> Index:
        """The index that a store is searched in. Raises Stale if the store is gone or has expired."""
        store = await self._rows.first(Select(STORES, eq("id", store_id), ("index_number",)))
        index = await self._indexes.get(store["index_number"]) if store else None
        if index is None:
            raise Stale(f"the vector store `{store_id}` is gone")
        return index


_OF_ROW = ("cut", "usage_bytes", "report")


def _still(row: Row) -> Condition:
    """The row of a file that is still to be ingested as it was attached."""
    return eq("id", row["id"]) & eq("attachment", row["attachment"]) & eq("status", "in_progress")


def _last_error(error: StackError) -> dict[str, str]:
    """As OpenAI's `last_error` has it."""
    if error.status == 429:
        code = "rate_limit_exceeded"
    elif error.status >= 500 or error.param in _NOT_OF_THE_FILE:
        code = "server_error"
    else:
        code = "unsupported_file" if error.code in _UNSUPPORTED else "invalid_file"
    return {"code": code, "message": f"{error.message}; {error.hint}" if error.hint else error.message}
