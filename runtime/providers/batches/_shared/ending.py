"""The job that ends a batch: it writes the output and error files, forgets the lines, and says how the batch ended.

Lines that were never asked, of a batch that was cancelled or has expired, are errors too: each `custom_id` of the input
is in one of the two files.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import MutableMapping
from contextlib import aclosing
from typing import Any

from runtime.access import EVERYBODY, SYSTEM
from runtime.apis.files.file import ExpiresAfter
from runtime.apis.files.protocol import Files
from runtime.errors import NotFound, NotSupported, RequestError, Unavailable, UpstreamError
from runtime.provider import ProviderContext
from runtime.providers.batches._shared.asking import unasked
from runtime.providers.batches._shared.input_lines import raw_lines, read_line
from runtime.providers.batches._shared.kept_lines import KeptLines
from runtime.providers.batches._shared.output_files import write_file
from runtime.providers.batches._shared.states import States
from runtime.providers.batches._shared.tables import BATCHES
from runtime.sse import Json
from runtime.storage.jobs import JobQueue, Postponed, RunningJob
from runtime.storage.sql import Row, Select, SqlStore, Update, eq, owner_of

log = logging.getLogger(__name__)
_AT_ONCE, _FOR_EVER, _AGAIN_S = 4, 1_000_000, 15.0
_MANY_LINES = 500
_ID = "end_"
_WHY = {
    "cancelled": ("batch_cancelled", "The batch was cancelled before this request was asked."),
    "expired": ("batch_expired", "This request could not be executed before the completion window expired."),
}


class Ending:
    """store: of all users. callers: see `Running`; what is there of a batch is forgotten. runs: the jobs that ask."""

    def __init__(
        self,
        context: ProviderContext,
        *,
        store: SqlStore,
        files: Files,
        callers: MutableMapping[str, Any],
        runs: JobQueue,
    ) -> None:
        self._store = store
        self._states = States(store)
        self._files = files
        self._callers = callers
        self._runs = runs
        self._jobs = context.jobs.handle("batch-end", self._end, concurrency=_AT_ONCE, attempts=_FOR_EVER, stays=False)

    async def begin(self, row: Row) -> None:
        """End a batch whose lines are no longer asked; may be repeated. row: with its owner. Raises Unavailable."""
        await self._jobs.add({"batch_id": row["id"]}, user=owner_of(row) or EVERYBODY, job_id=_ID + row["id"])

    async def _end(self, job: RunningJob) -> None:
        """The handler."""
        batch_id = job.payload["batch_id"]
        try:
            row = await self._store.first(Select(BATCHES, eq("id", batch_id)))
            if row is None or row["ended_at"] is not None:
                return
            with contextlib.suppress(NotFound):  # it has ended
                await self._runs.finished(batch_id, user=SYSTEM)
            await self._write(row, KeptLines(self._store, batch_id))
        except (Unavailable, UpstreamError) as error:
            raise Postponed(_AGAIN_S, None) from error
        self._callers.pop(batch_id, None)

    async def _write(self, row: Row, lines: KeptLines) -> None:
        if (why := _WHY.get(row["outcome"])) is not None:
            with contextlib.suppress(NotFound):  # without its input it is not known what was not asked
                await self._add_unasked(row["request"]["input_file_id"], lines, *why)
        change: Json = await lines.counts()
        try:
            for column, kind, are_errors in (("output_file_id", "output", False), ("error_file_id", "error", True)):
                if row[column] is None:
                    await self._write_one(row, column, f"{row['id']}_{kind}.jsonl", lines, are_errors=are_errors)
        except (RequestError, NotSupported) as error:  # no file can be written; the lines stay, as long as the batch
            log.error("files of a batch cannot be written", extra={"batch_id": row["id"], "error": error.message})
            said = {"code": "output_not_written", "message": error.words, "param": None, "line": None}
            await self._store.write(Update(BATCHES, {"outcome": "failed"}, eq("id", row["id"])))
            await self._states.end(row["id"], change | {"errors": [said, *(row["errors"] or ())]})
        else:
            await self._states.end(row["id"], change, lines.removal())

    async def _write_one(self, row: Row, column: str, name: str, lines: KeptLines, *, are_errors: bool) -> None:
        expires = row["request"].get("output_expires_after")
        expires_after = None if expires is None else ExpiresAfter.model_validate(expires)
        file_id = await write_file(
            self._files,
            name,
            lines,
            are_errors=are_errors,
            expires_after=expires_after,
            since=row["cancelling_at"] or row["finalizing_at"],
        )
        await self._store.write(Update(BATCHES, {column: file_id}, eq("id", row["id"])))

    async def _add_unasked(self, file_id: str, lines: KeptLines, code: str, message: str) -> None:
        """Raises NotFound if the input is no longer there."""
        kept, missing = await lines.numbers(), list[Json]()
        async with aclosing(raw_lines(self._files, file_id)) as every:
            async for number, raw in every:
                if number not in kept:
                    missing.append(unasked(number, read_line(number, raw).custom_id, code, message))
                if len(missing) == _MANY_LINES:
                    await lines.add(missing)
                    missing = []
        await lines.add(missing)
