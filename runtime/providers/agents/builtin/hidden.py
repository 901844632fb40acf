"""The rows of agents and sessions that nobody sees any more: read and deleted a few at a time, whoever owns them."""

from __future__ import annotations

from collections.abc import AsyncIterator

from runtime.providers.agents.builtin.sessions import free_at
from runtime.providers.agents.builtin.tables import AGENTS, GONE, HERE, SESSIONS, TURNS
from runtime.storage.sql import Condition, Delete, Row, Select, SqlStore, eq, one_of
from runtime.storage.sql.keys import pages_of

_SESSIONS_AT_ONCE, _TURNS_AT_ONCE = 20, 100


class Hidden:
    """store: of all users. Every method raises Unavailable."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store

    async def session(self, session_id: str) -> Row | None:
        """None where it is deleted, or seen."""
        return await self._store.first(Select(SESSIONS, eq("id", session_id) & GONE))

    async def free(self, now: float) -> AsyncIterator[Row]:
        """Sessions that run no turn. now: seconds since 1970."""
        async for session in self._sessions(free_at(now)):
            yield session

    async def of_agent(self, agent_id: str) -> AsyncIterator[Row]:
        """The sessions of an agent."""
        async for session in self._sessions(eq("agent_id", agent_id)):
            yield session

    async def agents(self) -> AsyncIterator[str]:
        """The ids of agents."""
        async for rows in pages_of(self._store, AGENTS, where=GONE, at_once=_SESSIONS_AT_ONCE):
            for row in rows:
                yield row["id"]

    async def some_turns(self, session_id: str) -> list[Row]:
        """The ids of the oldest turns of a session, and those of what came of them."""
        columns, order = ("id", "responses"), ("position",)
        return await self._store.select(Select(TURNS, eq("session_id", session_id), columns, order, _TURNS_AT_ONCE))

    async def delete_turns(self, turns: list[Row]) -> None:
        await self._store.write(Delete(TURNS, one_of("id", [turn["id"] for turn in turns])))

    async def delete_session(self, session_id: str, now: float) -> None:
        """Unless it ran a turn at `now`, in seconds since 1970."""
        await self._store.write(Delete(SESSIONS, eq("id", session_id) & GONE & free_at(now)))

    async def delete_agent(self, agent_id: str) -> None:
        """With the sessions that others see, unless some are left that nobody sees."""
        of_agent = eq("agent_id", agent_id)
        await self._store.write(Delete(SESSIONS, of_agent & HERE))
        if await self._store.first(Select(SESSIONS, of_agent, ("id",))) is None:
            await self._store.write(Delete(AGENTS, eq("id", agent_id) & GONE))

    async def _sessions(self, which: Condition) -> AsyncIterator[Row]:
        async for rows in pages_of(self._store, SESSIONS, where=GONE & which, at_once=_SESSIONS_AT_ONCE):
            for row in rows:
                yield row
