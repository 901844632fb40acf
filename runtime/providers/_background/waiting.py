"""Jobs that wait for what is down: since when, for what, and how long they may. It is kept as the checkpoint of the
job, so that whoever asks for its work is told, and that a restart begins no new wait.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from runtime.clock import wall_time
from runtime.errors import StackError
from runtime.providers._background.asking import NobodyAnswers
from runtime.storage.jobs import Job, Postponed, RunningJob

_SINCE, _FOR = "waiting_since", "waiting_for"


class WaitedEnough(Exception):
    """Nobody has answered for as long as the work may wait; its message says for what."""


@dataclass(frozen=True, kw_only=True)
class Wait:
    """waiting_since: seconds since 1970. waiting_for: what is down, in words. Both are None for work that goes on."""

    waiting_since: int | None = None
    waiting_for: str | None = None


class Waiting:
    """Of one attempt. most_s: how long it may wait for whoever does the asking, None for no limit."""

    def __init__(self, job: RunningJob, *, most_s: float | None) -> None:
        self._job = job
        self._most_s = most_s

    async def over(self) -> None:
        """The work goes on. Raises Stale, Unavailable."""
        if self._job.checkpoint is not None:
            await self._job.progress(None)

    def again(self, error: StackError, *, pause_s: float) -> Postponed:
        """What is raised to wait on for what is down. Raises WaitedEnough."""
        now = wall_time()
        since = _wait_of(self._job.checkpoint).waiting_since or int(now)
        if isinstance(error, NobodyAnswers) and self._most_s is not None and now - since >= self._most_s:
            raise WaitedEnough(f"It has waited {self._most_s:g} s, which `max_wait_s` allows: {error.words}") from error
        return Postponed(pause_s, {_SINCE: since, _FOR: error.words})


def wait_of(job: Job) -> Wait:
    """What the work of a job waits for."""
    return Wait() if job.has_ended else _wait_of(job.progress)


def _wait_of(kept: Any) -> Wait:
    return Wait(waiting_since=kept[_SINCE], waiting_for=kept[_FOR]) if kept else Wait()
