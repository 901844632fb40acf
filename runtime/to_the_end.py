"""Work that is finished even if whoever waits for it leaves. Imports nothing else of ours.

Not for work that several wait for, of whom one may leave without it (`rounds.py`): that belongs to nobody who waits.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")
log = logging.getLogger(__name__)


async def to_the_end(work: Awaitable[T]) -> T:
    """Do it to its end, however often whoever waits for it is cancelled meanwhile: they leave when it is over.

    Raises what it raises; to one who was cancelled, that, and the log tells why the work failed.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is None:
        return task.result()
    if not task.cancelled() and (failure := task.exception()) is not None:
        what = getattr(work, "__qualname__", type(work).__name__)
        log.error("work has failed after its caller had left", extra={"work": what}, exc_info=failure)
    raise cancelled
