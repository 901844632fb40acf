"""Models of different providers load one after the other, in the order in which they ask: what loading imports and
computes keeps the whole interpreter busy, so two at once are both late.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from weakref import WeakKeyDictionary

_PATIENCE_S = 3.0
"""A small model does not wait for a large one to its end."""

_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


@asynccontextmanager
async def one_at_a_time() -> AsyncIterator[None]:
    """The block while no other is in such a block on this event loop, or after a few seconds of waiting for that."""
    turn = _turns.setdefault(asyncio.get_running_loop(), asyncio.Lock())
    has_turn = False
    with suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE_S):
            has_turn = await turn.acquire()
    try:
        yield
    finally:
        if has_turn:
            turn.release()
