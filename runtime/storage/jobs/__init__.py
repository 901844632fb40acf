"""Durable work: what was added runs until it has ended, also if the process that ran it is killed. There is no second
mechanism for this: ingestion, batches, evals, training and background responses are jobs.

    self._batches = context.jobs.handle("batch", self._run, concurrency=2)      # once, in a constructor
    job = await self._batches.add({"input_file_id": ...}, user=current().user)  # on disk when it returns

    async def _run(self, running: RunningJob) -> object:    # for its owner, here or elsewhere, now or after a restart
        for number in range((running.checkpoint or {"done": 0})["done"], total):
            ...
            await running.progress({"done": number + 1})          # where the next attempt goes on
        return {"output_file_id": ...}

Jobs lie in a store of tables. Whoever runs one holds a lease on it, which is renewed while the work goes on:

                            lease runs out (the process died)
                           +---------------------------------+
                           v                                 |
    add ------------> queued ------- taken ------------> running ------> completed
                       |   ^                              |  |  |
                       |   +--- failed now, or postponed -+  |  +------> failed (no more attempts, or a bad request)
                       |                                     v
                       +-----------------> cancelled <-- cancelling

A server that has its state folder, with this store in it, for itself waits for no lease: at its start, whoever held one
is dead.

Work may be done more than once: a process that is killed after a step and before its checkpoint does the step again,
and one whose lease has run out (the machine was suspended) may run for some seconds beside its successor, though what
it then says is not kept. So steps must be idempotent. Leases compare the clocks of machines: these may differ by a few
seconds, not by half a minute. Payload, progress and result are on disk in clear: no keys belong in them.
"""

from __future__ import annotations

from runtime.storage.jobs.queue import JobQueue, Jobs
from runtime.storage.jobs.records import SCHEMA, Job, JobState
from runtime.storage.jobs.runner import JobRunner
from runtime.storage.jobs.running import Postponed, RunningJob

__all__ = ["SCHEMA", "Job", "JobQueue", "JobRunner", "JobState", "Jobs", "Postponed", "RunningJob"]
