"""Responses that this process makes while a client waits: it says every few seconds that it still does.

One whose process has not said so for longer has ended with it, and is read as `incomplete`, by any server, without
anybody having to look after it. Those in the background are jobs, which have leases of their own: they are held only
before they have a job, and while they end.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from runtime.clock import wall_time
from runtime.errors import StackError
from runtime.provider import Tasks
from runtime.providers.responses.builtin.answering import RUNS, interrupted
from runtime.providers.responses.builtin.tables import RESPONSES
from runtime.sse import decode, encode
from runtime.storage.sql import Row, SqlStore, Update, one_of

log = logging.getLogger(__name__)
LEASE_S, RENEWED_S = 30.0, 10.0
"""How long saying so counts, and how often it is said."""
READ = ("id", "position", "status", "ancestors", "conversation", "place", "held_until", "input", "response")
"""What is read of a row to be shown or continued."""


class Holding:
    """store: of all users. clock: seconds since 1970, by which servers compare."""

    def __init__(self, store: SqlStore, tasks: Tasks, *, clock: Callable[[], float] = wall_time) -> None:
        self._store = store
        self._tasks = tasks
        self._clock = clock
        self._held: set[str] = set()
        self._is_renewing = False

    def until(self) -> float:
        """Until when it counts, if it is said now."""
        return self._clock() + LEASE_S

    def hold(self, response_id: str) -> float:
        """Hold a response until `release`. Returns until when that counts at first."""
        self._held.add(response_id)
        if not self._is_renewing:
            self._is_renewing = True
            self._tasks.spawn(self._renew(), name="hold responses")
        return self.until()

    def release(self, response_id: str) -> None:
        self._held.discard(response_id)

    async def _renew(self) -> None:
        try:
            while self._held:
                await asyncio.sleep(RENEWED_S)
                if not self._held:
                    return
                change = {"held_until": self.until()}
                try:
                    await self._store.write(Update(RESPONSES, change, one_of("id", [*self._held])))
                except StackError as error:  # tried again, while what is held counts
                    log.warning("responses that are being made are not held", extra={"error": error.message})
        finally:
            self._is_renewing = False


def settled(row: Row, now: float) -> Row:
    """The row as it is now. row: with `READ`. now: seconds since 1970."""
    until = row["held_until"]
    if row["status"] not in RUNS or until is None or until >= now:
        return row
    response = interrupted(decode(row["response"]))
    return {**row, "status": response["status"], "response": encode(response)}
