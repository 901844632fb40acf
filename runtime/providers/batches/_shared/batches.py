"""Implements `Batches`: a batch is a row, a job that asks its lines, and a job that writes its files.

Knows not who answers the lines.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

from runtime.access import EVERYBODY
from runtime.apis.batches.batch import Batch, BatchList, BatchRequest, CreateBatchRequest, ListBatchesRequest
from runtime.apis.files.protocol import Files
from runtime.apis.models import Models
from runtime.concurrently import concurrently
from runtime.context import current
from runtime.errors import Conflict, NotFound
from runtime.provider import ProviderContext
from runtime.providers._background.asking import Paces
from runtime.providers._background.waiting import wait_of
from runtime.providers.batches._shared.answering import Answering
from runtime.providers.batches._shared.checking import checked
from runtime.providers.batches._shared.config import BatchesConfig
from runtime.providers.batches._shared.creating import identity, new_rows, said
from runtime.providers.batches._shared.ending import Ending
from runtime.providers.batches._shared.endpoints import Endpoints
from runtime.providers.batches._shared.running import Running
from runtime.providers.batches._shared.shown import shown
from runtime.providers.batches._shared.states import ASKED, RUNS, States
from runtime.providers.batches._shared.tables import BATCHES, SCHEMA, STORE
from runtime.storage.sql import Duplicate, Row, Select, SqlStore, eq, one_of, owner_of
from runtime.storage.sql.paging import read_page

_READ_AT_ONCE = 8


class KeptBatches:
    """answering: who answers the lines; max_wait_s: how long a batch waits for them, None for no limit. Each method
    raises Unavailable where what is kept cannot be reached.
    """

    def __init__(
        self,
        config: BatchesConfig,
        context: ProviderContext,
        *,
        endpoints: Endpoints,
        answering: Answering,
        max_wait_s: float | None = None,
    ) -> None:
        self._store = context.storage.sql(STORE, SCHEMA)
        self._states = States(self._store)
        self._files = context.api(Files)  # type: ignore[type-abstract]
        self._endpoints = endpoints
        self._callers: dict[str, Mapping[str, Any]] = {}
        most = config.max_concurrent_requests_per_provider or config.max_concurrent_requests_per_batch
        self.paces = Paces(context.api(Models), most)  # type: ignore[type-abstract]
        running = Running(
            config,
            context,
            store=self._store,
            files=self._files,
            endpoints=endpoints,
            answering=answering,
            paces=self.paces,
            callers=self._callers,
            end=lambda row: self._ending.begin(row),
            max_wait_s=max_wait_s,
        )
        self._runs = running.jobs
        self._ending = Ending(context, store=self._store, files=self._files, callers=self._callers, runs=self._runs)

    async def start(self) -> None:
        """Begin what a process that has died had kept but not begun. Raises Unavailable."""
        for row in await self._store.select(Select(BATCHES, one_of("status", (*RUNS, "cancelling")))):
            if row["status"] == "cancelling":
                await self._give_up(row)
                continue
            job = await self._runs.add(None, user=owner_of(row) or EVERYBODY, job_id=row["id"])
            if job.has_ended and row["status"] in ASKED:  # it cannot be begun any more
                await self._states.finalize(row["id"], "failed")
                await self._ending.begin(row)

    async def create_batch(self, request: CreateBatchRequest) -> Batch:
        """Raises as `checked` does, NotSupported for an endpoint that is not served, Conflict."""
        self._endpoints.at(request.endpoint)
        user = current().user
        batch_id, position = identity(request, user)
        if (row := await self._mine().first(Select(BATCHES, eq("id", batch_id)))) is not None:
            return _again(row, request)
        found = await checked(self._files, request)
        try:
            # In a thread, since a file may have nothing but malformed lines.
            await self._mine().write(*await asyncio.to_thread(new_rows, batch_id, position, request, found))
        except Duplicate:  # somebody else was faster with the same key
            return _again(await self._row(batch_id), request)
        if current().provider_data:
            self._callers[batch_id] = current().provider_data
        if request.idempotency_key is not None:  # an earlier batch of it may have been cancelled, and then forgotten
            await self._runs.discard(batch_id, user=user)
        await self._runs.add(None, user=user, job_id=batch_id)
        return shown(await self._row(batch_id))

    async def list_batches(self, request: ListBatchesRequest) -> BatchList:
        """Raises RequestError for a cursor that is none."""
        rows, has_more = await read_page(self._mine(), BATCHES, request, what="batch")
        first_id, last_id = (rows[0]["id"], rows[-1]["id"]) if rows else (None, None)
        return BatchList(
            data=await concurrently(self._shown, rows, at_once=_READ_AT_ONCE),
            first_id=first_id,
            last_id=last_id,
            has_more=has_more,
        )

    async def get_batch(self, request: BatchRequest) -> Batch:
        """Raises NotFound."""
        return await self._shown(await self._row(request.batch_id))

    async def _shown(self, row: Row) -> Batch:
        """With what it waits for."""
        if row["status"] in ASKED:
            with contextlib.suppress(NotFound):  # it has no job yet
                return shown(row, wait_of(await self._runs.get(row["id"], user=owner_of(row) or EVERYBODY)))
        return shown(row)

    async def cancel_batch(self, request: BatchRequest) -> Batch:
        """Raises NotFound, Conflict for one that has ended otherwise."""
        if await self._states.cancel(request.batch_id, self._mine()):
            await self._give_up(await self._row(request.batch_id))
        row = await self._row(request.batch_id)
        if row["status"] not in ("cancelling", "cancelled"):
            raise Conflict(
                f"The batch `{request.batch_id}` is `{row['status']}`, so it cannot be cancelled", param="batch_id"
            )
        return shown(row)

    async def _give_up(self, row: Row) -> None:
        """Ask no more lines of a batch that is being cancelled, and end it."""
        with contextlib.suppress(NotFound):  # it has none yet, and begins nothing when it has
            await self._runs.cancel(row["id"], user=owner_of(row) or EVERYBODY)
        await self._ending.begin(row)

    def _mine(self) -> SqlStore:
        return self._store.for_user(current().user)

    async def _row(self, batch_id: str) -> Row:
        row = await self._mine().first(Select(BATCHES, eq("id", batch_id)))
        if row is None:
            raise NotFound(f"There is no batch `{batch_id}`", param="batch_id", code="batch_not_found")
        return row


def _again(row: Row, request: CreateBatchRequest) -> Batch:
    """The batch that a key has made. Raises Conflict if that was of another request."""
    if row["request"] != said(request):
        raise Conflict(
            f"The `idempotency_key` is that of the batch `{row['id']}`, which was created by another request",
            hint="give a new batch a key of its own",
            param="idempotency_key",
            code="idempotency_key_in_use",
        )
    return shown(row)
