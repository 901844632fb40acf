"""The workers of one provider: started when first needed, used again, and renewed before they grow old."""

from __future__ import annotations

import asyncio
from typing import IO

from runtime.errors import RateLimited, RequestError, Unavailable
from runtime.providers.file_processors._worker.messages import NO_ANSWER, Outcome, Task
from runtime.providers.file_processors._worker.worker import Worker, WorkerEnded
from runtime.to_the_end import to_the_end

_MAX_TASKS = 200
"""Of one process, whose libraries may leak."""
_IDLE_S = 300.0


class WorkerPool:
    """At most `size` processes; `max_waiting` documents may wait for one."""

    def __init__(self, *, size: int, max_waiting: int) -> None:
        self._size, self._free = size, asyncio.Semaphore(size)
        self._idle: list[Worker] = []
        self._at_work: set[Worker] = set()
        self._waiting, self._max_waiting = 0, max_waiting
        self._stopped = asyncio.Event()
        self._idle_timer: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[None]] = set()

    async def run(self, task: Task, file: IO[bytes], *, has_waited: bool = False) -> bytes:
        """The JSON of the answer about a document. If the caller is cancelled, so is the work. has_waited: it is the
        second task of a document that has waited before, which is not told to come later.

        Raises RequestError with the reason why the document cannot be read, RateLimited if too many wait, Unavailable
        if no worker can be started or a package is missing, RuntimeError for a bug in a reader.
        """
        if self._waiting >= self._max_waiting and not has_waited:
            raise RateLimited(f"{self._waiting} documents wait to be read already", hint="try again later")
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        try:
            return _answer_of(await self._outcome(task, file))
        finally:
            self._free.release()

    async def stop(self) -> None:
        """End all workers, those at work too, and wait until they have ended."""
        self._stopped.set()
        await self._end_idle()
        for worker in self._at_work:
            worker.kill()
        for _ in range(self._size):
            await self._free.acquire()
        for _ in range(self._size):
            self._free.release()
        await asyncio.gather(*self._ending)

    async def _outcome(self, task: Task, file: IO[bytes]) -> Outcome:
        worker = await self._ready()
        self._at_work.add(worker)
        try:
            if self._stopped.is_set():
                raise Unavailable("The provider has been stopped")
            file.seek(0)
            outcome = await worker.run(task, file.fileno())
        except BaseException as error:
            await to_the_end(worker.end())
            if self._stopped.is_set() and isinstance(error, RequestError | WorkerEnded):
                raise Unavailable("The provider was stopped while the document was read") from error
            if isinstance(error, WorkerEnded):
                raise RuntimeError(f"a worker ended by itself while it read a document: {error}") from error
            raise
        finally:
            self._at_work.discard(worker)
        is_large = outcome.memory_bytes > task.limits.memory_bytes // 2
        if outcome.is_spent or outcome.failure or is_large or worker.tasks >= _MAX_TASKS or self._stopped.is_set():
            await worker.end()
        else:
            self._idle.append(worker)
            self._end_later()
        return outcome

    async def _ready(self) -> Worker:
        while self._idle:
            worker = self._idle.pop()
            if not worker.has_ended():
                return worker
            await worker.end()
        return await Worker.started()

    def _end_later(self) -> None:
        """End the idle workers once nothing has been read for a while."""
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        self._idle_timer = asyncio.get_running_loop().call_later(_IDLE_S, self._begin_to_end)

    def _begin_to_end(self) -> None:
        task = asyncio.create_task(self._end_idle(), name="end idle workers")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _end_idle(self) -> None:
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        while self._idle:
            await self._idle.pop().end()


def _answer_of(outcome: Outcome) -> bytes:
    if outcome.answer != NO_ANSWER:
        return bytes(outcome.answer)
    if outcome.refusal is not None:
        refusal = outcome.refusal
        error = RequestError(refusal.message, hint=refusal.hint, param="file", code=refusal.code)
        error.may_pass = refusal.may_pass
        raise error
    if outcome.missing is not None:
        raise Unavailable(
            f"The package that reads such documents is not installed: no module `{outcome.missing}`",
            hint="build the distribution again, with it among `additional_pip_packages` unless the provider brings it",
        )
    raise RuntimeError(f"a reader failed:\n{outcome.failure}")
