"""Gets new credentials after a refusal: once, also if several calls were refused."""

from __future__ import annotations

import asyncio
import contextvars

from runtime.http.auth import Renews
from runtime.http.transport import Key, Outgoing


class Renewals:
    """The renewals that are running, by the refused key."""

    def __init__(self) -> None:
        self._running: dict[Key | None, asyncio.Task[bool]] = {}

    async def renewed(self, auth: Renews, request: Outgoing, refused: Outgoing) -> bool:
        """Whether `request`, which was sent as `refused`, can now be sent with another key. If a caller leaves, the
        renewal goes on for the others. Raises what `Renews.renew` raises.
        """
        key = (await auth.apply(request)).key
        if key is not None and key != refused.key:  # another call has already renewed it
            return True
        task = self._running.get(refused.key)
        if task is None:
            task = asyncio.create_task(_renewal(auth, refused), context=contextvars.Context())
            self._running[refused.key] = task
            task.add_done_callback(lambda ended: self._ended(refused.key, ended))
        return await asyncio.shield(task)

    def _ended(self, key: Key | None, task: asyncio.Task[bool]) -> None:
        del self._running[key]
        if not task.cancelled():
            task.exception()  # mark it as seen, also if nobody waits for it any more


async def _renewal(auth: Renews, refused: Outgoing) -> bool:
    return await auth.renew(refused)
