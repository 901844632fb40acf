"""Models and databases that are busy or down for a while: which failures pass, and asking again until they have."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from runtime.errors import NotSupported, StackError
from runtime.storage.jobs import Postponed, RunningJob

T = TypeVar("T")
PAUSES_S = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Before each further attempt: half a minute in all."""
LATER_S = tuple(2.0**doubled for doubled in range(9))
"""Before each further attempt of a job: eight and a half minutes in all, in which a database can be started again."""
VECTORS_MISSING, PROVIDER_MISSING = "vectors_missing", "provider_not_found"
"""The codes of errors about vectors that do not come back by themselves."""
_PASSING = (408, 425, 429)


def may_pass(error: StackError) -> bool:
    """Whether the same request may succeed later."""
    is_lasting = isinstance(error, NotSupported) or error.code in (VECTORS_MISSING, PROVIDER_MISSING)
    return error.status in _PASSING or (error.status >= 500 and not is_lasting)


def postponed(running: RunningJob, error: StackError) -> Postponed | None:
    """What a job raises that has met an error; None if it does not pass, or has not passed after all pauses.

    How often a job was postponed is its checkpoint, so that a restart does not begin anew.
    """
    times = was_postponed(running)
    if times == len(LATER_S) or not may_pass(error):
        return None
    return Postponed(LATER_S[times], {"postponed": times + 1})


def was_postponed(running: RunningJob) -> int:
    """How often a job was."""
    times: int = (running.checkpoint or {"postponed": 0})["postponed"]
    return times


async def patiently(ask: Callable[[], Awaitable[T]], *, pauses_s: Sequence[float]) -> T:
    """What it returns; asked again after each pause while it fails with what may pass. Raises the last failure."""
    for pause_s in pauses_s:
        try:
            return await ask()
        except StackError as error:
            if not may_pass(error):
                raise
        await asyncio.sleep(pause_s)
    return await ask()
