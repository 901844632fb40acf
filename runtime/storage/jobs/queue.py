"""The jobs of one kind, as an API sees them: added, listed, cancelled, waited for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from runtime.access import Caller
from runtime.errors import Conflict, NotFound
from runtime.ids import new_position, ordered_id, position_in
from runtime.storage.jobs.records import JOBS, Job, JobState, job_of
from runtime.storage.jobs.runner import JobRunner
from runtime.storage.jobs.running import Handler, RunningJob, Traced, ended
from runtime.storage.sql.conditions import ALL, eq, one_of, owned_by
from runtime.storage.sql.paging import AskedPage, read_page
from runtime.storage.sql.statements import Delete, Insert, Select, Update
from runtime.storage.sql.store import SqlStore


class JobQueue:
    """The jobs of one kind. user: the caller, who sees their own and what is shared with them. Each method raises
    Unavailable.
    """

    def __init__(self, runner: JobRunner, kind: str, prefix: str) -> None:
        self._runner = runner
        self._kind = kind
        self._prefix = prefix

    async def add(self, payload: Any, *, user: Caller, job_id: str | None = None) -> Job:
        """A new job, on disk when this returns. payload: a JSON value.

        job_id: by default a new one; with one that is there already, that job is returned and nothing is added, so
        that adding can be repeated. Raises NotFound if that one is another user's.
        """
        position = position_in(job_id) if job_id else None
        position = new_position() if position is None else position
        now = self._runner.clock()
        values = {
            "id": job_id or ordered_id(self._prefix, position),
            "position": position,
            "kind": self._kind,
            "state": "queued",
            "payload": payload,
            "attempts": 0,
            "due_at": now,
            "created_at": now,
            "begun": self._runner.origin(),
        }
        [added] = await self._part(user).write(Insert(JOBS, values, replace=() if job_id else None))
        if not added:
            return await self.get(values["id"], user=user)
        self._runner.wake()
        return job_of({**dict.fromkeys(JOBS.kinds), **values, **owned_by(user)})

    async def get(self, job_id: str, *, user: Caller) -> Job:
        """Raises NotFound, also for another user's job and one of another kind."""
        row = await self._part(user).first(Select(JOBS, eq("id", job_id) & eq("kind", self._kind)))
        if row is None:
            raise NotFound(f"There is no job `{job_id}`")
        return job_of(row)

    async def page(self, asked: AskedPage, *, user: Caller, states: Sequence[JobState] = ()) -> tuple[list[Job], bool]:
        """One page, and whether there is another one; see `read_page`. states: empty for all.

        Raises RequestError for a cursor that is no id.
        """
        where = eq("kind", self._kind) & (one_of("state", states) if states else ALL)
        rows, has_more = await read_page(self._part(user), JOBS, asked, where=where, what="job")
        return [job_of(row) for row in rows], has_more

    async def cancel(self, job_id: str, *, user: Caller) -> Job:
        """Ask a job to end, and return it: `cancelled` if it had not begun, else `cancelling` until its work has ended;
        one that has ended stays as it is. Raises NotFound.
        """
        while True:
            job = await self.get(job_id, user=user)
            if job.state == "queued":
                change = ended("cancelled", self._runner.clock())
            elif job.state == "running":
                change = {"state": "cancelling"}
            else:
                return job
            where = eq("id", job_id) & eq("state", job.state)
            [changed] = await self._part(user).write(Update(JOBS, change, where))
            if changed:
                self._runner.cancelled(job_id)
                return await self.get(job_id, user=user)

    async def delete(self, job_id: str, *, user: Caller) -> None:
        """Forget a job that has ended. Raises NotFound; Conflict if it has not."""
        job = await self.get(job_id, user=user)
        if not job.has_ended:
            raise Conflict(f"The job `{job_id}` is `{job.state}`", hint="cancel it first")
        await self._part(user).write(Delete(JOBS, eq("id", job_id)))

    async def discard(self, job_id: str, *, user: Caller) -> None:
        """Forget a job whether or not it has ended. Where it is done, here or in another process, that ends soon, and
        nothing more is kept of it. Does nothing if it is not there, or another user's.
        """
        if await self._part(user).write(Delete(JOBS, eq("id", job_id) & eq("kind", self._kind))) == [1]:
            self._runner.cancelled(job_id)

    async def finished(self, job_id: str, *, user: Caller) -> Job:
        """The job, once it has ended, here or in another process. Raises NotFound. Set a limit around it."""
        while True:
            end = self._runner.next_end()
            job = await self.get(job_id, user=user)
            if job.has_ended:
                return job
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._runner.poll_s):
                    await end.wait()

    def _part(self, user: Caller) -> SqlStore:
        return self._runner.store.for_user(user)


class Jobs:
    """What one provider is given. owner: its name, for messages. is_ready: whether its jobs can be done now; while
    not, they wait. acting_for: each job is done inside of it.
    """

    def __init__(
        self,
        runner: JobRunner,
        owner: str,
        is_ready: Callable[[], bool],
        acting_for: Callable[[RunningJob], AbstractContextManager[object]],
    ) -> None:
        self._runner = runner
        self._owner = owner
        self._is_ready = is_ready
        self._acting_for = acting_for

    def handle(
        self,
        kind: str,
        handler: Handler,
        *,
        concurrency: int = 1,
        attempts: int = 3,
        prefix: str = "job_",
        stays: bool = True,
        traced: Traced = "alone",
    ) -> JobQueue:
        """Do the jobs of a kind from now on, and return its queue.

        kind: kept with each job, so it stays the same for ever; it has the provider's id in it where several providers
        of an API have such jobs. concurrency: how many this process does at once. attempts: how often one is begun
        before it fails for good. prefix: of ids. stays: whether a job is there when it has ended; false where what
        came of it, and what was asked, is kept elsewhere. One that is cancelled before it begins stays all the same.
        traced: what each attempt is in traces.
        Raises RuntimeError if another provider handles the kind.
        """

        async def done(running: RunningJob) -> Any:
            with self._acting_for(running):
                return await handler(running)

        self._runner.register(
            kind,
            done,
            owner=self._owner,
            is_ready=self._is_ready,
            concurrency=concurrency,
            attempts=attempts,
            stays=stays,
            traced=traced,
        )
        return JobQueue(self._runner, kind, prefix)
