"""Models and databases that are busy or down for a while: which failures pass, and asking again until they have."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from runtime.errors import NotSupported, StackError

T = TypeVar("T")
PAUSES_S = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Before each further attempt: half a minute in all."""
_PASSING = (408, 425, 429)


def may_pass(error: StackError) -> bool:
    """Whether the same request may succeed later."""
    return error.status in _PASSING or (error.status >= 500 and not isinstance(error, NotSupported))


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
