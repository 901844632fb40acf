"""The rows of agents, sessions and turns, as the caller of a request sees them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from runtime.apis.agents.agent import ListRequest
from runtime.apis.agents.naming import AgentRequest, SessionRequest
from runtime.clock import wall_time
from runtime.context import current
from runtime.errors import Conflict, NotFound
from runtime.providers.agents.builtin import shown
from runtime.providers.agents.builtin.listing import page_of
from runtime.providers.agents.builtin.size import check_size
from runtime.providers.agents.builtin.tables import AGENTS, HERE, SESSIONS, TURNS
from runtime.sse import Json
from runtime.storage.sql import (
    Condition,
    Insert,
    Row,
    Select,
    SqlStore,
    Stale,
    Statement,
    Update,
    below,
    either,
    eq,
    one_of,
)
from runtime.storage.sql.holding import Holding
from runtime.storage.sql.statements import SIZE


@dataclass(frozen=True, kw_only=True)
class Found:
    """A session with its agent."""

    agent: Row
    session: Row

    @property
    def waiting(self) -> list[Json]:
        """The calls that the client has not answered."""
        return self.session["waiting"] or []


class Sessions:
    """store: of all users. Every method raises Unavailable."""

    def __init__(self, store: SqlStore, holding: Holding) -> None:
        self._store = store
        self._holding = holding

    def mine(self) -> SqlStore:
        """Agents and sessions that the caller sees; turns have no owners of their own, and go with their session."""
        return self._store.for_user(current().user)

    async def agent(self, request: AgentRequest) -> Row:
        """Raises NotFound."""
        row = await self.mine().first(Select(AGENTS, eq("id", request.agent_id) & HERE))
        if row is None:
            raise _unknown_agent(request.agent_id)
        return row

    async def found(self, request: SessionRequest) -> Found:
        """Raises NotFound, which says whether the agent is unknown or the session."""
        agents, sessions = await self.mine().select_each(
            Select(AGENTS, eq("id", request.agent_id) & HERE), Select(SESSIONS, _is_session(request))
        )
        if not agents:
            raise _unknown_agent(request.agent_id)
        if not sessions:
            raise _unknown_session(request.agent_id, request.session_id)
        return Found(agent=agents[0], session=sessions[0])

    async def begin(self, session_id: str, agent_id: str, position: int, name: str) -> None:
        """A session without turns, the caller's own. Raises NotFound where the agent was deleted meanwhile."""
        row = {
            "id": session_id,
            "agent_id": agent_id,
            "position": position,
            "used": position // 1_000_000,
            "name": name,
            "has_documents": False,
        }
        is_there = Update(AGENTS, {"expires_at": None}, eq("id", agent_id) & HERE, expect=1)
        try:
            await self.mine().write(is_there, Insert(SESSIONS, row))
        except Stale:
            raise _unknown_agent(agent_id) from None

    async def turn(self, session: Row, turn_id: str) -> Row:
        """Of a session that was found. Raises NotFound."""
        row = await self._store.first(Select(TURNS, eq("session_id", session["id"]) & eq("id", turn_id)))
        if row is None:
            raise unknown_turn(session["id"], turn_id, param="turn_id")
        return _settled(row, session)

    async def turns(self, session: Row, only: Collection[str] | None) -> list[Row]:
        """Of a session that was found, the oldest first. only: their ids, None for all. Raises NotFound for one that is
        not there, TooLarge for more than `size.MOST_BYTES`.
        """
        where, order = eq("session_id", session["id"]), ("position",)
        sizes = await self._store.select(Select(TURNS, where, ("id",), order, sizes=("asked", "results")))
        known = {row["id"]: row[SIZE] for row in sizes}
        for turn_id in only or ():
            if turn_id not in known:
                raise unknown_turn(session["id"], turn_id, param="turn_ids")
        check_size(sum(size for turn_id, size in known.items() if only is None or turn_id in only))
        wanted = where if only is None else where & one_of("id", [*only])
        return [_settled(row, session) for row in await self._store.select(Select(TURNS, wanted, (), order))]

    async def agents(self, asked: ListRequest) -> tuple[list[Row], bool]:
        """Some agents, the oldest first, and whether there are more."""
        return await page_of(self.mine(), Select(AGENTS, HERE, sizes=("config",)), asked)

    async def listed(self, agent_id: str, asked: ListRequest) -> tuple[list[Row], bool]:
        """The same of an agent's sessions, as they are shown."""
        return await page_of(self.mine(), Select(SESSIONS, eq("agent_id", agent_id) & HERE, shown.OF_A_SESSION), asked)

    async def take(self, found: Found, turn_id: str, change: Json, *first: Statement) -> None:
        """Run a turn in a session from now on. change: what else is changed of the session; first: what is written
        with it. Raises Conflict where it runs another, or another has ended meanwhile, NotFound where the session
        was deleted meanwhile.
        """
        session_id, last = found.session["id"], found.session["last"]
        is_free = free_at(wall_time()) & eq("last", last) & HERE
        now = {"used": int(wall_time()), "held_until": self._holding.until()}
        taking = {**change, "turn": turn_id, **now}
        more = [*first, *await self._left_behind(found.session)]
        try:
            await self._store.write(Update(SESSIONS, taking, eq("id", session_id) & is_free, expect=1), *more)
        except Stale:
            if not await self._is_there(session_id):
                raise _unknown_session(found.session["agent_id"], session_id) from None
            raise Conflict(
                f"The session `{session_id}` runs another turn",
                hint="wait until it is over, or begin another session",
                param="session_id",
                code="session_is_busy",
            ) from None
        self._holding.hold(session_id)

    async def _left_behind(self, session: Row) -> list[Statement]:
        """What ends the turn whose process has ended without letting the session go."""
        if session["turn"] is None:
            return []
        row = await self._store.first(Select(TURNS, eq("id", session["turn"])))
        if row is None or not (ended := _settled(row, session))["is_over"]:
            return []
        change = {"is_over": True, "completed": ended["completed"]}
        return [Update(TURNS, change, eq("id", row["id"]) & eq("completed", None))]

    async def came_of(self, turn_id: str | None) -> list[str] | None:
        """The ids of the responses that a turn shows; None where there is no such turn."""
        row = await self._store.first(Select(TURNS, eq("id", turn_id), ("responses",)))
        return None if row is None else list(row["responses"])

    async def adopt(self, turn_id: str, response_id: str) -> None:
        """This is what came of a turn from now on."""
        await self._store.write(Update(TURNS, {"responses": [response_id]}, eq("id", turn_id)))

    async def let_go(self, session_id: str, turn_id: str, change: Json, *more: Statement) -> bool:
        """The turn runs no more. change: what else is changed of the session; more: what is written with it. Returns
        whether the session is still there. One that is not stays taken until the lease has run out: what came of the
        turn is looked for then, should this process not come to delete it.
        """
        self._holding.release(session_id)
        free = {"turn": None, "held_until": None, **change}
        mine = eq("id", session_id) & eq("turn", turn_id) & HERE
        changed, *_ = await self._store.write(Update(SESSIONS, free, mine), *more)
        return bool(changed) or await self._is_there(session_id)

    async def hide(self, session_id: str) -> None:
        """Nobody sees a session from now on, and no turn begins in it."""
        await self.mine().write(Update(SESSIONS, {"expires_at": 0}, eq("id", session_id) & HERE))

    async def hide_agent(self, agent_id: str) -> None:
        """The same of an agent with the sessions of it that the caller sees."""
        gone = {"expires_at": 0}
        sessions = Update(SESSIONS, gone, eq("agent_id", agent_id) & HERE)
        await self.mine().write(sessions, Update(AGENTS, gone, eq("id", agent_id) & HERE))

    async def _is_there(self, session_id: str) -> bool:
        return await self._store.first(Select(SESSIONS, eq("id", session_id) & HERE, ("id",))) is not None


def free_at(now: float) -> Condition:
    """The sessions that run no turn."""
    return either([eq("turn", None), below("held_until", now)])


def unknown_turn(session_id: str, turn_id: str, *, param: str) -> NotFound:
    return NotFound(f"The session `{session_id}` has no turn `{turn_id[:100]}`", param=param, code="turn_not_found")


def _settled(row: Row, session: Row) -> Row:
    """A turn as it is now. One whose process has ended before anything came of it is over; one that waited for the
    client before that waits again.
    """
    if session["turn"] != row["id"] or row["responses"] or (session["held_until"] or 0) >= wall_time():
        return row
    return {**row, "is_over": True, "completed": session["held_until"]}


def _is_session(request: SessionRequest) -> Condition:
    return eq("id", request.session_id) & eq("agent_id", request.agent_id) & HERE


def _unknown_agent(agent_id: str) -> NotFound:
    return NotFound(
        f"There is no agent `{agent_id[:100]}`",
        hint="`POST /v1/agents` makes one",
        param="agent_id",
        code="agent_not_found",
    )


def _unknown_session(agent_id: str, session_id: str) -> NotFound:
    return NotFound(
        f"The agent `{agent_id}` has no session `{session_id[:100]}`",
        hint=f"`POST /v1/agents/{agent_id}/session` begins one",
        param="session_id",
        code="session_not_found",
    )
