"""The job that asks the lines of a batch, and goes on with those that are not kept.

    lines of the file -> a place in the batch -> a place at the provider -> asked -> kept, in groups -> both places free

So after a process has died, what was asked and not kept are the lines that had places. Whatever ends the asking, the
job in `ending.py` writes the files.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any

from runtime.apis.files.protocol import Files
from runtime.clock import wall_time
from runtime.context import current
from runtime.errors import NotFound, NotSupported, RequestError, StackError, Unavailable, UpstreamError
from runtime.provider import ProviderContext
from runtime.providers._background.asking import NobodyAnswers, Paces
from runtime.providers._background.waiting import WaitedEnough, Waiting
from runtime.providers.batches._shared.answering import Answering
from runtime.providers.batches._shared.asking import Asker
from runtime.providers.batches._shared.config import BatchesConfig
from runtime.providers.batches._shared.endpoints import Endpoints
from runtime.providers.batches._shared.input_lines import Line, raw_lines, read_line
from runtime.providers.batches._shared.kept_lines import Keeping, KeptLines
from runtime.providers.batches._shared.states import ASKED, Outcome, States
from runtime.providers.batches._shared.tables import BATCHES
from runtime.sse import Json
from runtime.storage.jobs import RunningJob
from runtime.storage.sql import Row, Select, SqlStore, eq
from runtime.telemetry import conventions as names
from runtime.to_the_end import to_the_end

log = logging.getLogger(__name__)
_MOST_ATTEMPTS = 20
"""How often it is begun: a batch that ends its process each time is given up."""
_AGAIN_S = 15.0
"""How long a store, files or whoever answers the lines are left alone while they are down."""
_FOR_EVER = 1_000_000


class Running:
    """store: of all users. callers: what creators sent for providers, by batch; in memory alone, since keys are on no
    disk. end: called with a batch whose lines are no longer asked. max_wait_s: how long one waits for whoever answers
    its lines.
    """

    def __init__(
        self,
        config: BatchesConfig,
        context: ProviderContext,
        *,
        store: SqlStore,
        files: Files,
        endpoints: Endpoints,
        answering: Answering,
        paces: Paces,
        callers: Mapping[str, Mapping[str, Any]],
        end: Callable[[Row], Awaitable[None]],
        max_wait_s: float | None,
    ) -> None:
        self._at_once = config.max_concurrent_requests_per_batch
        self._store = store
        self._states = States(store)
        self._files = files
        self._endpoints = endpoints
        self._answering = answering
        self._paces = paces
        self._callers = callers
        self._end = end
        self._max_wait_s = max_wait_s
        # Whatever the provider is called by now: it goes on with what was begun under another name.
        self.jobs = context.jobs.handle(
            "batch", self._run, concurrency=config.max_concurrent_batches, attempts=_FOR_EVER, stays=False,
            traced="in_pieces",
        )  # fmt: skip

    async def _run(self, job: RunningJob) -> None:
        """The handler. The id of the job is that of the batch."""
        row = await self._row(job.id)
        if row is not None and row["status"] in ASKED:
            outcome, error = await self._outcome(row, job)
            errors = [error, *(row["errors"] or ())] if error else None
            await self._states.finalize(job.id, outcome, errors=errors)
            row = await self._row(job.id)
        if row is not None and row["status"] == "finalizing":
            await self._end(row)

    async def _row(self, batch_id: str) -> Row | None:
        return await self._store.first(Select(BATCHES, eq("id", batch_id)))

    async def _outcome(self, row: Row, job: RunningJob) -> tuple[Outcome, Json | None]:
        """How asking the lines has ended, and why they cannot be asked. Raises Postponed while that may pass."""
        if job.attempt > _MOST_ATTEMPTS:
            message = f"It was begun {_MOST_ATTEMPTS} times, and each time the process that did it ended or failed"
            return "failed", _error("abandoned", message)
        waiting = Waiting(job, most_s=self._max_wait_s)
        try:
            async with asyncio.timeout(row["expires"] - wall_time()) as limit:
                await self._ask_lines(row, waiting)
        except TimeoutError:
            if not limit.expired():
                raise
            return "expired", None
        except (Unavailable, UpstreamError, NobodyAnswers) as error:
            try:
                raise waiting.again(error, pause_s=_AGAIN_S) from error
            except WaitedEnough as enough:
                return "failed", _error("nobody_answers", str(enough))
        except NotFound:
            file_id = row["request"]["input_file_id"]
            return "failed", _error("input_file_missing", f"The file `{file_id}` is no longer there")
        except (RequestError, NotSupported) as error:
            return "failed", _error(error.code or error.type, error.message)
        return "completed", None

    async def _ask_lines(self, row: Row, waiting: Waiting) -> None:
        """Ask all lines that are not kept. Raises what reading them and keeping them raises, and NobodyAnswers."""
        batch_id, request = row["id"], row["request"]
        endpoint = self._endpoints.at(request["endpoint"])
        await self._answering.begin()
        await waiting.over()
        asker = Asker(
            self._answering,
            endpoint,
            self._paces,
            told={names.BATCH_ID: batch_id, names.ENDPOINT: request["endpoint"]},
            user=current().user,
            provider_data=self._callers.get(batch_id, {}),
        )
        kept = KeptLines(self._store, batch_id)
        done = await kept.numbers()
        keeping = Keeping(self._store, batch_id, await kept.counts())
        await self._states.begin(batch_id)
        places = asyncio.Semaphore(self._at_once)

        async def answer(line: Line) -> None:
            try:
                await to_the_end(keeping.keep(await asker.ask(line)))
            finally:
                places.release()

        try:
            async with (
                asyncio.TaskGroup() as group,
                aclosing(raw_lines(self._files, request["input_file_id"])) as lines,
            ):
                async for number, raw in lines:
                    if number in done:
                        continue
                    line = read_line(number, raw)
                    assert isinstance(line, Line), "others were kept when the batch was created"
                    await places.acquire()
                    group.create_task(answer(line), name=f"line {number} of {batch_id}")
        except* StackError as several:
            raise _first(several) from None


def _first(several: BaseExceptionGroup[StackError]) -> StackError:
    error: BaseException = several
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, StackError)
    return error


def _error(code: str, message: str) -> Json:
    return {"code": code, "message": message, "param": None, "line": None}
