"""The end of a stack, which a server does not wait for without a limit."""

from __future__ import annotations

import asyncio
import logging

from runtime.stack.stack import Stack

log = logging.getLogger(__name__)
CLOSE_LIMIT_S = 3.0
"""How long a stack may take to close. Work that does not end has a part of it: providers are stopped after that."""


async def close_in_time(stack: Stack) -> None:
    """Returns when the stack is closed, or when that takes too long."""
    closing = asyncio.create_task(stack.close())
    done, _unfinished = await asyncio.wait({closing}, timeout=CLOSE_LIMIT_S)
    if not done:
        # For example a model that is being loaded. Everything acknowledged is on disk; the end of the process stops it.
        log.warning("not everything stopped in time", extra={"limit_s": CLOSE_LIMIT_S})
