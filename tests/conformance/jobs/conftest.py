"""A store of jobs that several runners share, as several processes do, and a clock that they read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import nullcontext
from typing import Any

import pytest_asyncio

from runtime.access import EVERYBODY
from runtime.storage.jobs import SCHEMA, Job, JobQueue, JobRunner, Jobs, RunningJob
from runtime.storage.sql.store import SqlStore
from tests.conformance.conftest import Open

LIMIT_S = 20


class World:
    """Runners over one database; each stands for a process. now: what their clocks say."""

    def __init__(self, open_backend: Open) -> None:
        self.now = 1_000_000.0
        self.open_backend = open_backend
        self.runners: list[JobRunner] = []

    def runner(self, *, is_alone: bool = False) -> JobRunner:
        backend = self.open_backend()
        runner = JobRunner(
            lambda: SqlStore(lambda: backend, SCHEMA, "jobs"), clock=lambda: self.now, poll_s=0.01, is_alone=is_alone
        )
        self.runners.append(runner)
        return runner

    def queue(
        self, handler: Callable[[RunningJob], Awaitable[Any]], *, runner: JobRunner | None = None, **options: Any
    ) -> tuple[JobRunner, JobQueue]:
        """A runner that does jobs of the kind `work`, and their queue."""
        runner = runner or self.runner()
        return runner, Jobs(runner, "tests", lambda: True, nullcontext).handle("work", handler, **options)

    async def ended(self, queue: JobQueue, job: Job) -> Job:
        async with asyncio.timeout(LIMIT_S):
            return await queue.finished(job.id, user=EVERYBODY)

    async def close(self) -> None:
        for runner in self.runners:
            await runner.stop()


@pytest_asyncio.fixture
async def world(open_backend: Open) -> AsyncIterator[World]:
    made = World(open_backend)
    yield made
    await made.close()
