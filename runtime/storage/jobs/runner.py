"""Does the jobs of this process: takes what is due, renews leases, notices what was cancelled elsewhere.

All of it happens in `turn`, which a loop repeats; nothing here waits for a lease in any other way. Several processes
may run jobs of the same store: a job is taken by a change that succeeds only if nobody else was faster.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from runtime.clock import wall_time
from runtime.errors import Unavailable
from runtime.ids import new_id
from runtime.storage.jobs.records import ENDED, JOBS, job_of
from runtime.storage.jobs.running import Attempt, Handler, RunningJob, Traced, after_failure, ended, outcome_of
from runtime.storage.sql.conditions import Condition, above, at_most, eq, one_of
from runtime.storage.sql.statements import Delete, Select, Statement, Update
from runtime.storage.sql.store import Row, SqlStore

log = logging.getLogger(__name__)
LEASE_S, POLL_S, STOP_S = 30.0, 2.0, 1.0
"""How long a lease lasts; how long a job of another process may wait unseen; how long a stop waits for work to end."""


@dataclass(frozen=True, kw_only=True)
class _Kind:
    handler: Handler
    owner: str
    is_ready: Callable[[], bool]
    concurrency: int
    attempts: int
    stays: bool
    traced: Traced

    def change(self, change: Row, where: Condition) -> Statement:
        """What makes this of the job at `where`: of one that has ended nothing, unless jobs of the kind stay."""
        return Update(JOBS, change, where) if self.stays or change["state"] not in ENDED else Delete(JOBS, where)


class JobRunner:
    """The jobs of a store, whose schema is `records.SCHEMA`. find_store: called once, for the first kind of jobs.

    clock: seconds since 1970, by which leases are compared. poll_s: how often it looks for jobs of other processes;
    its own are begun at once. is_alone: whether no other process does jobs of the store, so that what is held at the
    start is held by one that is dead. origin: what is known of the request that leads to a job which is added now, a
    JSON value; kept with the job.
    """

    def __init__(
        self, find_store: Callable[[], SqlStore], *, clock: Callable[[], float] = wall_time, lease_s: float = LEASE_S,
        poll_s: float = POLL_S, is_alone: bool = False, origin: Callable[[], object] = lambda: None,
    ) -> None:  # fmt: skip
        self.origin = origin
        self._find_store = find_store
        self.clock = clock
        self.poll_s = poll_s
        self._lease_s = lease_s
        self._is_alone = is_alone
        self._taken_over: set[str] = set()
        self._kinds: dict[str, _Kind] = {}
        self._attempts: dict[str, Attempt] = {}  # by lease
        self._wake = asyncio.Event()
        self._end = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._is_started = self._stopping = False

    @cached_property
    def store(self) -> SqlStore:
        return self._find_store()

    def register(
        self,
        kind: str,
        handler: Handler,
        *,
        owner: str,
        is_ready: Callable[[], bool],
        concurrency: int,
        attempts: int,
        stays: bool,
        traced: Traced = "alone",
    ) -> None:
        """Do the jobs of a kind from now on; see `Jobs.handle`. Raises RuntimeError if another owner does them."""
        known = self._kinds.get(kind)
        if known is not None and known.owner != owner:
            raise RuntimeError(f"jobs of the kind `{kind}` are done by `{known.owner}` already")
        self.store  # noqa: B018  # asked for while the stack is built, it is opened before the stack serves
        self._kinds[kind] = _Kind(
            handler=handler,
            owner=owner,
            is_ready=is_ready,
            concurrency=concurrency,
            attempts=attempts,
            stays=stays,
            traced=traced,
        )
        if self._is_started:
            self.start()

    def start(self) -> None:
        """Do jobs from now on, as soon as there is a kind of them."""
        self._is_started = True
        self.wake()
        if self._loop is None and self._kinds:
            self._loop = asyncio.create_task(self._run(), name="jobs", context=contextvars.Context())

    async def stop(self) -> None:
        """Interrupt what runs and put it back into the queue, for the next start or another process. What does not end
        within a second is left; it is taken by somebody else when its lease has run out.
        """
        self._stopping = True
        self.wake()
        for attempt in self._attempts.values():
            attempt.interrupt("stopped")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                if self._loop is not None:  # not cancelled before: it may just take a job, and then interrupts it
                    await asyncio.wait({self._loop})
                if tasks := {attempt.task for attempt in self._attempts.values()}:
                    await asyncio.wait(tasks)
        if self._loop is not None:
            self._loop.cancel()
        if self._attempts:
            log.warning("jobs did not end in time", extra={"count": len(self._attempts), "limit_s": STOP_S})

    def wake(self) -> None:
        """There may be something to do."""
        self._wake.set()

    def next_end(self) -> asyncio.Event:
        """Set when a job of this process ends next."""
        return self._end

    def cancelled(self, job_id: str) -> None:
        """A job was cancelled by a user: if it runs here, it ends now."""
        for attempt in self._attempts.values():
            if attempt.job.id == job_id:
                attempt.interrupt("cancelled")
        self._tell_end()

    async def turn(self) -> None:
        """Look after what runs, and begin what is due and has a place. Raises Unavailable."""
        if self._is_alone:
            await self._take_over()
        await self._look_after()
        for name, kind in self._kinds.items():
            running = sum(attempt.job.kind == name for attempt in self._attempts.values())
            try:
                if running < kind.concurrency and kind.is_ready():
                    await self._take(name, kind, kind.concurrency - running)
            except Unavailable:
                raise
            except Exception:  # a fault of ours, perhaps in a row: the other kinds have nothing to do with it
                log.exception("jobs cannot be begun", extra={"kind": name})

    async def _run(self) -> None:
        is_down = False
        while not self._stopping:
            self._wake.clear()
            try:
                await self.turn()
                is_down = False
            except Unavailable as error:
                if not is_down:
                    log.warning("jobs cannot be read", extra={"error": error.message})
                is_down = True
            except Exception:
                log.exception("jobs were not looked after")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.poll_s):
                    await self._wake.wait()

    async def _look_after(self) -> None:
        """Renew the leases, and interrupt what was cancelled or is somebody else's by now."""
        held = [attempt for attempt in self._attempts.values() if attempt.interrupted != "lost"]
        if not held:
            return
        now = self.clock()
        where = one_of("id", [one.job.id for one in held]) & one_of("lease", [one.lease for one in held])
        try:
            if any(attempt.until - now < self._lease_s * 2 / 3 for attempt in held):
                await self.store.write(Update(JOBS, {"due_at": now + self._lease_s}, where))
                for attempt in held:
                    attempt.until = now + self._lease_s
            rows = await self.store.select(Select(JOBS, where, ("lease", "state")))
        except Unavailable:
            for attempt in held:
                if attempt.until <= now:
                    self._lose(attempt)
            raise
        states = {row["lease"]: row["state"] for row in rows}
        for attempt in held:
            if attempt.lease not in states:
                if attempt.works:  # else its end was kept meanwhile
                    self._lose(attempt)
            elif states[attempt.lease] == "cancelling":
                attempt.interrupt("cancelled")

    async def _take_over(self) -> None:
        """What was held before this process began is due: nobody waits for the leases of the dead to run out. Once for
        each kind, before any job of it begins here.
        """
        if not (kinds := self._kinds.keys() - self._taken_over):
            return
        now = self.clock()
        is_held = one_of("state", ("running", "cancelling")) & above("due_at", now)
        await self.store.write(*(Update(JOBS, {"due_at": now}, eq("kind", kind) & is_held) for kind in sorted(kinds)))
        self._taken_over |= kinds

    async def _take(self, name: str, kind: _Kind, places: int) -> None:
        now = self.clock()
        due = eq("kind", name) & at_most("due_at", now)
        rows = await self.store.select(Select(JOBS, due, order=("due_at",), limit=places))
        changes = [_end_of_abandoned(row, kind, now) or self._taken(row, now) for row in rows]
        updates = [
            kind.change(change, eq("id", row["id"]) & eq("state", row["state"]) & eq("lease", row["lease"]) & due)
            for row, change in zip(rows, changes, strict=True)
        ]
        counts = await self.store.write(*updates) if updates else []
        for row, change, count in zip(rows, changes, counts, strict=True):
            if count and change["state"] == "running":
                self._begin(row | change, kind)
            elif count:
                self._tell_end()
                self.wake()  # there is still a place

    def _taken(self, row: Row, now: float) -> Row:
        return {
            "state": "running",
            "lease": new_id("lease_"),
            "due_at": now + self._lease_s,
            "attempts": row["attempts"] + 1,
            "started_at": row["started_at"] or now,
        }

    def _begin(self, row: Row, kind: _Kind) -> None:
        attempt = Attempt(job=job_of(row), lease=row["lease"], until=row["due_at"])
        self._attempts[attempt.lease] = attempt
        name = f"look after job {attempt.job.id}"
        attempt.task = asyncio.create_task(self._do(attempt, kind), name=name, context=contextvars.Context())
        if self._stopping:  # it was taken while the stop began
            attempt.interrupt("stopped")

    async def _do(self, attempt: Attempt, kind: _Kind) -> None:
        running = RunningJob(attempt.job, attempt.lease, self.store, lambda: self._lose(attempt), kind.traced)
        try:
            await attempt.do(kind.handler, running)
            await self._keep_end(attempt, kind, outcome_of(attempt, kind.attempts, self.clock()))
        except Exception as error:  # what it returned is no JSON
            await self._keep_end(attempt, kind, after_failure(attempt.job, error, kind.attempts, self.clock()))
        finally:
            del self._attempts[attempt.lease]
            self._tell_end()
            self.wake()

    async def _keep_end(self, attempt: Attempt, kind: _Kind, end: Row) -> None:
        """Write how an attempt ended, again and again while the database is down and the lease lasts."""
        ends = [kind.change(end, attempt.mine)]
        if end["state"] == "queued":  # unless it was cancelled elsewhere, which nobody here has noticed yet
            end_of_cancelled = ended("cancelled", self.clock())
            ends = [
                Update(JOBS, end, attempt.mine & eq("state", "running")),
                kind.change(end_of_cancelled, attempt.mine & eq("state", "cancelling")),
            ]
        while attempt.interrupted != "lost":
            try:
                await self.store.write(*ends)
                return
            except Unavailable as error:
                log.warning("a job's end is not kept yet", extra={"job_id": attempt.job.id, "error": error.message})
                if self._stopping:
                    return
                await asyncio.sleep(self.poll_s)

    def _lose(self, attempt: Attempt) -> None:
        if attempt.interrupted != "lost":
            fields = {"job_id": attempt.job.id, "kind": attempt.job.kind}
            log.warning("the lease of a job was lost: another process may do it", extra=fields)
        attempt.interrupt("lost")

    def _tell_end(self) -> None:
        self._end.set()
        self._end = asyncio.Event()


def _end_of_abandoned(row: Row, kind: _Kind, now: float) -> Row | None:
    """The last columns of a job whose process died, if nobody should do it again."""
    if row["state"] == "cancelling":
        return ended("cancelled", now)
    if row["attempts"] < kind.attempts:
        return None
    times = row["attempts"]
    message = f"the process that did it ended before the job did, {times} time{'' if times == 1 else 's'}"
    return ended("failed", now, error={"message": message, "code": "abandoned"})
