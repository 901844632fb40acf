"""Keeps a server's record true while it runs: ready once the socket answers, degraded while a provider is, and back.

Asks the stack for what has changed; knows nothing of providers, files or signals.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from runtime.server.record import ServerRecord

if TYPE_CHECKING:
    from runtime.server.serving import Server
    from runtime.stack.stack import Stack

log = logging.getLogger("runtime.server")
_LOOK_EVERY_S = 1.0


async def tell(server: Server, stack: Stack, required: Sequence[str], record: ServerRecord) -> None:
    """Start the stack once the socket answers, and write how it is until the server drains.

    With required providers, ready is said only when those have started. Unavailable ends the server where one has not,
    and so does a bug of ours: else it would be starting for ever.
    """
    await server.answering.wait()
    log.info("serving", extra={"cpu_s": round(time.process_time(), 2)})
    try:
        # Only now: importing torch and reading weights would share the processor with what makes the socket answer.
        stack.start()
        if required:
            await stack.settled.wait()
            if server.should_exit:  # closing settles it too: whoever was still starting has not failed
                return
            await stack.check_required(required)
    except Exception:
        server.should_exit = True
        raise
    told: dict[str, Any] | None = {}
    while not server.should_exit:
        told = _told(stack, record, told)
        await _a_while(stack.settled)


def _told(stack: Stack, record: ServerRecord, told: dict[str, Any] | None) -> dict[str, Any] | None:
    """Write the record where it no longer says how the stack is. Returns what it says now; None where that could not be
    found out, which is logged once.
    """
    try:
        found = _condition(stack)
    except Exception:
        if told is not None:
            log.exception("how the stack is cannot be told")
        return None
    return found if found == told or record.say(**found) else told


def _condition(stack: Stack) -> dict[str, Any]:
    """Ready or degraded, why, and what is still loading."""
    degraded, loading = stack.degraded(), stack.loading()
    return {
        "state": "degraded" if degraded else "ready",
        "degraded": dict(degraded),
        "reason": "; ".join(f"{provider_id}: {why}" for provider_id, why in degraded.items()) or None,
        "settled": stack.settled.is_set(),
        "loading": list(loading),
        "load_timeout_s": max(loading.values(), default=None),
    }


async def _a_while(settled: asyncio.Event) -> None:
    """Until it is time to look again; at once when the last provider has come up or given up."""
    if settled.is_set():
        await asyncio.sleep(_LOOK_EVERY_S)
        return
    try:
        await asyncio.wait_for(settled.wait(), _LOOK_EVERY_S)
    except TimeoutError:
        return
