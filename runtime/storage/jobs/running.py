"""A job at work: what its handler is given, and how an attempt ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from runtime.access import User
from runtime.errors import NotSupported, RequestError, StackError
from runtime.storage.jobs.records import JOBS, Job
from runtime.storage.sql.conditions import Condition, eq
from runtime.storage.sql.failures import Stale
from runtime.storage.sql.statements import Update
from runtime.storage.sql.store import SqlStore

log = logging.getLogger(__name__)
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 300.0
Interruption = Literal["cancelled", "stopped", "lost"]
"""Why work is told to end: a user wants it, the server stops, or somebody else may have the job by now."""

Traced = Literal["joined", "alone", "in_pieces"]
"""What a job is to whoever watches: a part of what the request that has led to it does, one thing, or many things that
its handler tells of one by one.
"""


class RunningJob:
    """One attempt at a job, for its handler.

    A handler returns the result, a JSON value; it raises RequestError or NotSupported for what fails each time,
    Postponed for what it wants to try again later, and anything else for what may be tried again. The job's owner is
    the current user while it runs, without the keys that a request brought. When it should end, it is cancelled as a
    task: it may clean up, and what it returns then is kept as the result of a cancelled job.

    begun: what is known of the request that has led to it, see `JobRunner`. traced: see `Jobs.handle`.
    """

    def __init__(self, job: Job, lease: str, store: SqlStore, on_lost: Callable[[], None], traced: Traced) -> None:
        self.traced = traced
        self.id = job.id
        self.kind = job.kind
        self.begun: Any = job.begun
        self.payload: Any = job.payload
        self.owner: User | None = job.owner
        self.attempt = job.attempts
        self.checkpoint: Any = job.progress
        self._store = store
        self._mine = held(job.id, lease)
        self._on_lost = on_lost

    async def progress(self, value: Any) -> None:
        """Keep a JSON value, on disk when it returns: users see it as the job's progress, and a later attempt finds it
        as its `checkpoint`. Raises Stale, and ends this attempt, if the job is somebody else's by now; Unavailable.
        """
        try:
            await self._store.write(Update(JOBS, {"progress": value}, self._mine, expect=1))
        except Stale:
            self._on_lost()
            raise
        self.checkpoint = value


class Postponed(Exception):
    """What a handler raises to be called again after a pause, as often as it wants: this counts as no attempt. Raised
    `from` the reason. pause_s: in seconds. checkpoint: kept as `RunningJob.progress` keeps it.
    """

    def __init__(self, pause_s: float, checkpoint: Any) -> None:
        super().__init__(f"tried again in {pause_s:g} s")
        self.pause_s = pause_s
        self.checkpoint = checkpoint


Handler = Callable[[RunningJob], Awaitable[Any]]


@dataclass(kw_only=True)
class Attempt:
    """What this process knows of a job that it runs. until: when its lease runs out. work: the handler's task, once it
    has begun. task: that and keeping its end, which nothing interrupts.
    """

    job: Job
    lease: str
    until: float
    interrupted: Interruption | None = None
    work: asyncio.Task[Any] | None = None
    task: asyncio.Task[None] = field(init=False)

    @property
    def works(self) -> bool:
        """Whether the handler still has to end."""
        return self.work is None or not self.work.done()

    @property
    def mine(self) -> Condition:
        """The job's row, as long as this attempt holds it."""
        return held(self.job.id, self.lease)

    def interrupt(self, why: Interruption) -> None:
        """End the work, once. The first reason counts, unless the job was lost."""
        is_first = self.interrupted is None
        if is_first or why == "lost":
            self.interrupted = why
        if is_first and self.work is not None:
            self.work.cancel()

    async def do(self, handler: Handler, running: RunningJob) -> None:
        """Run the handler to its end, unless the attempt was interrupted before. Raises nothing: `work` has it."""
        if self.interrupted is None:
            self.work = asyncio.create_task(_contained(handler, running), name=f"job {self.job.id}")
            await asyncio.wait({self.work})


def held(job_id: str, lease: str) -> Condition:
    """The row of a job while this lease holds it."""
    return eq("id", job_id) & eq("lease", lease)


def outcome_of(attempt: Attempt, most: int, now: float) -> dict[str, Any]:
    """The columns that say how an attempt ended; those of a queued job if there is to be another one.

    most: how many attempts there may be. now: seconds since 1970.
    """
    work = attempt.work
    returned = work is not None and not work.cancelled() and work.exception() is None
    result = work.result() if work is not None and returned else None
    if attempt.interrupted == "cancelled":
        return ended("cancelled", now, result=result)
    if returned:
        return ended("completed", now, result=result, error=None)
    if attempt.interrupted is not None or work is None:  # the server stops, which is not the job's fault
        return _queued(max(0, attempt.job.attempts - 1), now)
    error = RuntimeError("it was cancelled from within") if work.cancelled() else work.exception()
    assert error is not None
    return after_failure(attempt.job, error, most, now)


def after_failure(job: Job, error: BaseException, most: int, now: float) -> dict[str, Any]:
    """The columns of a job one of whose attempts has failed."""
    if isinstance(error, Postponed):
        return _later(job, error, now)
    is_final = isinstance(error, RequestError | NotSupported) or job.attempts >= most
    fields = {"job_id": job.id, "kind": job.kind, "attempt": job.attempts, "error": str(error), "is_final": is_final}
    log.warning("job failed", extra=fields, exc_info=None if isinstance(error, StackError) else error)
    if is_final:
        return ended("failed", now, error=_record(error))
    pause_s = min(FIRST_PAUSE_S * 2.0 ** (job.attempts - 1), LONGEST_PAUSE_S)
    return {**_queued(job.attempts, now + pause_s), "error": _record(error)}


def _later(job: Job, postponed: Postponed, now: float) -> dict[str, Any]:
    reason = postponed.__cause__ or postponed
    fields = {"job_id": job.id, "kind": job.kind, "pause_s": postponed.pause_s, "error": str(reason)}
    log.warning("job postponed", extra=fields)
    queued = _queued(job.attempts - 1, now + postponed.pause_s)
    return {**queued, "progress": postponed.checkpoint, "error": _record(reason)}


def _record(error: BaseException) -> dict[str, str | None]:
    """What is kept of a failure."""
    if isinstance(error, StackError):
        return {"message": error.message, "code": error.code}
    # Its words are for the log: they may hold what a user must not see.
    return {"message": f"it failed with `{type(error).__name__}`", "code": StackError.type}


def ended(state: Literal["completed", "failed", "cancelled"], now: float, **more: Any) -> dict[str, Any]:
    """The columns of a job that has ended. more: its `result` or `error`."""
    return {"state": state, "ended_at": now, "due_at": None, "lease": None, **more}


def _queued(attempts: int, due_at: float) -> dict[str, Any]:
    return {"state": "queued", "attempts": attempts, "due_at": due_at, "lease": None}


async def _contained(handler: Handler, running: RunningJob) -> Any:
    """Raises RuntimeError in place of what would end the process."""
    try:
        return await handler(running)
    except SystemExit as error:
        raise RuntimeError("it tried to end the process") from error
