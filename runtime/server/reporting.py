"""Keeps a server's record up to date while it runs: ready once the socket answers, degraded while something in it is.

Asks the stack for its state; knows nothing about providers, files or signals.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from runtime.server.masking import Hidden
from runtime.server.record import ServerRecord

if TYPE_CHECKING:
    from runtime.server.serving import Server
    from runtime.stack.stack import Stack

log = logging.getLogger("runtime.server")
_INTERVAL_S = 1.0


async def report(server: Server, stack: Stack, required: Sequence[str], record: ServerRecord, hidden: Hidden) -> None:
    """Start the stack once the socket answers, and write its state to the record until the server drains.

    If providers are required, the state is `ready` only after they have started. Raises Unavailable, and ends the
    server, if one of them has not; a bug of ours ends it too, otherwise it would be `starting` for ever.
    """
    await server.answering.wait()
    log.info("serving", extra={"cpu_s": round(time.process_time(), 2)})
    try:
        # Not earlier: importing torch and reading weights would delay the first answer of the socket.
        stack.start()
        if required:
            await stack.settled.wait()
            if server.should_exit:  # closing sets `settled` too: a provider that was still starting has not failed
                return
            await stack.check_required(required)
    except Exception:
        server.should_exit = True
        raise
    reporter = _Reporter(server, stack, record, hidden)
    stack.on_change = reporter.update
    while not server.should_exit:
        reporter.update()
        await _wait(stack.settled)


class _Reporter:
    """Writes the state of a stack to its server's record."""

    def __init__(self, server: Server, stack: Stack, record: ServerRecord, hidden: Hidden) -> None:
        self._server = server
        self._stack = stack
        self._record = record
        self._hidden = hidden
        self._written: dict[str, Any] | None = {}
        """What the record says; None if the stack's state could not be read, which is logged once."""

    def update(self) -> None:
        """Write the state if it has changed. At once, so that who has asked a provider how it is finds the same in the
        record as in the answer.
        """
        if self._server.should_exit:
            return
        try:
            found = _state(self._stack, self._hidden)
        except Exception:
            if self._written is not None:
                log.exception("the state of the stack cannot be read")
            self._written = None
            return
        if found != self._written and self._record.say(**found):
            self._written = found


def _state(stack: Stack, hidden: Hidden) -> dict[str, Any]:
    """The fields of the record: ready or degraded, why, what is still loading, and what the last hour was like."""
    degraded, loading = hidden.without(stack.degraded()), stack.loading()
    return {
        "state": "degraded" if degraded else "ready",
        "degraded": dict(degraded),
        "reason": "; ".join(f"{provider_id}: {why}" for provider_id, why in degraded.items()) or None,
        "settled": stack.settled.is_set(),
        "loading": list(loading),
        "load_timeout_s": max(loading.values(), default=None),
        "last_hour": asdict(stack.last_hour.summary()) if stack.last_hour is not None else None,
    }


async def _wait(settled: asyncio.Event) -> None:
    """Wait until the next check; shorter if the last provider has started or failed meanwhile."""
    if settled.is_set():
        await asyncio.sleep(_INTERVAL_S)
        return
    try:
        async with asyncio.timeout(_INTERVAL_S):
            await settled.wait()
    except TimeoutError:
        return
