"""Deletes what nobody sees any more: sessions that are too old (`storage.retention`), and what was left of those that
somebody deleted, since a turn still ran there or they left.
"""

from __future__ import annotations

import asyncio
import logging

from runtime.access import SYSTEM
from runtime.clock import wall_time
from runtime.context import RequestContext, serving
from runtime.errors import StackError
from runtime.providers.agents.builtin.forgetting import Forgetting
from runtime.providers.agents.builtin.hidden import Hidden

log = logging.getLogger(__name__)
_EVERY_S, _PAUSE_S = 60.0, 0.05


class Removing:
    def __init__(self, hidden: Hidden, forgetting: Forgetting) -> None:
        self._hidden = hidden
        self._forgetting = forgetting

    async def run(self) -> None:
        """For as long as the server runs: at once, and then every minute."""
        trouble = ""
        while True:
            try:
                now = await self.turn()
            except StackError as error:
                now = error.message
            if now and now != trouble:
                log.warning("sessions are deleted later", extra={"error": now})
            trouble = now
            await asyncio.sleep(_EVERY_S)

    async def turn(self) -> str:
        """Delete what is there now. Returns why a session was left, empty where none was: it keeps no other from being
        deleted. Raises Unavailable where they cannot be read.
        """
        trouble = ""
        async for session in self._hidden.free(wall_time()):
            try:
                with serving(RequestContext(user=SYSTEM)):
                    await self._forgetting.rest(session)
            except StackError as error:
                trouble = error.message
            await asyncio.sleep(_PAUSE_S)  # others come in between
        async for agent_id in self._hidden.agents():
            await self._hidden.delete_agent(agent_id)
        return trouble
