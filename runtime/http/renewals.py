"""Other credentials in place of refused ones, asked for once however many calls were refused."""

from __future__ import annotations

import asyncio
import contextvars

from runtime.http.auth import Renews
from runtime.http.transport import Key, Outgoing


class Renewals:
    """Those that run, by the key that was refused."""

    def __init__(self) -> None:
        self._running: dict[Key | None, asyncio.Task[bool]] = {}

    async def renewed(self, auth: Renews, request: Outgoing, refused: Outgoing) -> bool:
        """Whether `request`, which was sent as `refused`, can be sent with another key. A caller who leaves ends the
        renewal for nobody else. Raises what `Renews.renew` does.
        """
        key = (await auth.apply(request)).key
        if key is not None and key != refused.key:  # another call has had it renewed since
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
            task.exception()  # has been seen, also where nobody waits for it any more


async def _renewal(auth: Renews, refused: Outgoing) -> bool:
    return await auth.renew(refused)
