"""Agents, their sessions and their turns: what is asked, checked and kept. What a turn says is `responses`'."""

from __future__ import annotations

from msgspec import Raw

from runtime.apis.agents.agent import (
    Agent,
    AgentCreated,
    AgentPage,
    CreateAgentRequest,
    ListRequest,
)
from runtime.apis.agents.naming import AgentRequest, SessionRequest, StepRequest, TurnRequest
from runtime.apis.agents.session import (
    CreateSessionRequest,
    GetSessionRequest,
    ListSessionsRequest,
    SessionCreated,
)
from runtime.apis.agents.turn import CreateTurnRequest, ResumeTurnRequest
from runtime.apis.responses.protocol import Responses
from runtime.apis.tool_groups.protocol import ToolGroups
from runtime.apis.vector_stores.protocol import VectorStores
from runtime.errors import NotFound
from runtime.ids import new_position, ordered_id
from runtime.provider import ProviderContext
from runtime.providers.agents.builtin import shown
from runtime.providers.agents.builtin.asking import check_config
from runtime.providers.agents.builtin.beginning import begun, check_waits, resumed
from runtime.providers.agents.builtin.documents import Documents
from runtime.providers.agents.builtin.forgetting import Forgetting
from runtime.providers.agents.builtin.hidden import Hidden
from runtime.providers.agents.builtin.removing import Removing
from runtime.providers.agents.builtin.sessions import Sessions
from runtime.providers.agents.builtin.size import check_size
from runtime.providers.agents.builtin.tables import AGENTS, SCHEMA, SESSIONS, STORE
from runtime.providers.agents.builtin.turns import Turns
from runtime.sse import EventStream, Reply, encode
from runtime.storage.sql import Insert
from runtime.storage.sql.holding import Holding


class BuiltinAgents:
    """Implements `Agents`."""

    def __init__(self, config: object, context: ProviderContext) -> None:
        store = context.storage.sql(STORE, SCHEMA)
        self._groups = context.optional_api(ToolGroups)  # type: ignore[type-abstract]
        self._sessions = Sessions(store, Holding(store, SESSIONS, context.tasks.spawn))
        responses = context.api(Responses)  # type: ignore[type-abstract]
        documents = Documents(context.optional_api(VectorStores))  # type: ignore[type-abstract]
        hidden = Hidden(store)
        self._forgetting = Forgetting(self._sessions, hidden, responses, documents)
        self._removing = Removing(hidden, self._forgetting)
        self._tasks = context.tasks
        self._turns = Turns(self._sessions, responses, documents, self._forgetting)

    async def start(self) -> None:
        self._tasks.spawn(self._removing.run(), name="delete sessions that nobody sees any more")

    async def create_agent(self, request: CreateAgentRequest) -> AgentCreated:
        """Raises RequestError and NotSupported for what no turn of it could have."""
        check_config(request.agent_config)
        position = new_position()
        config = request.agent_config.model_dump(mode="json", exclude_unset=True)
        row = {"id": ordered_id("agent_", position), "position": position, "config": config}
        await self._sessions.mine().write(Insert(AGENTS, row))
        return AgentCreated(agent_id=row["id"])

    async def list_agents(self, request: ListRequest) -> AgentPage:
        rows, has_more = await self._sessions.agents(request)
        return AgentPage(data=[shown.agent(row) for row in rows], has_more=has_more, url="/v1/agents")

    async def get_agent(self, request: AgentRequest) -> Agent:
        """Raises NotFound."""
        return Agent.model_validate(shown.agent(await self._sessions.agent(request)))

    async def delete_agent(self, request: AgentRequest) -> None:
        """Raises NotFound."""
        await self._sessions.agent(request)
        await self._forgetting.agent(request.agent_id)

    async def create_session(self, request: CreateSessionRequest) -> SessionCreated:
        """Raises NotFound."""
        await self._sessions.agent(request)
        position = new_position()
        session_id = ordered_id("session_", position)
        await self._sessions.begin(session_id, request.agent_id, position, request.session_name)
        return SessionCreated(session_id=session_id)

    async def list_sessions(self, request: ListSessionsRequest) -> AgentPage:
        """Raises NotFound."""
        await self._sessions.agent(request)
        rows, has_more = await self._sessions.listed(request.agent_id, request)
        url = f"/v1/agents/{request.agent_id}/sessions"
        return AgentPage(data=[shown.session(row) for row in rows], has_more=has_more, url=url)

    async def get_session(self, request: GetSessionRequest) -> Reply:
        """Raises NotFound, for turns that are asked for too, and TooLarge for more than is read at once."""
        found = await self._sessions.found(request)
        only = None if request.turn_ids is None else dict.fromkeys(request.turn_ids)
        turns: list[Raw] = []
        size_bytes = 0
        for row in await self._sessions.turns(found.session, only):
            turn = encode(await self._turns.shown(row))
            size_bytes += len(turn)
            check_size(size_bytes)
            turns.append(Raw(turn))
        return Reply.of({**shown.session(found.session), "turns": turns})

    async def delete_session(self, request: SessionRequest) -> None:
        """Raises NotFound."""
        await self._sessions.found(request)
        await self._forgetting.session(request.session_id)

    async def create_turn(self, request: CreateTurnRequest) -> Reply | EventStream:
        """Raises NotFound, Conflict, and what asking for a response raises."""
        return await self._turns.run(await begun(await self._sessions.found(request), request, self._groups))

    async def resume_turn(self, request: ResumeTurnRequest) -> Reply | EventStream:
        """Raises NotFound, Conflict for a turn that does not wait, RequestError for calls that are left unanswered or
        that it does not wait for, and what asking for a response raises.
        """
        found = await self._sessions.found(request)
        row = await self._sessions.turn(found.session, request.turn_id)
        check_waits(found, row)
        steps = await self._turns.steps(row)
        return await self._turns.run(await resumed(found, row, request, steps, self._groups))

    async def get_turn(self, request: TurnRequest) -> Reply:
        """Raises NotFound."""
        found = await self._sessions.found(request)
        return Reply.of(await self._turns.shown(await self._sessions.turn(found.session, request.turn_id)))

    async def get_step(self, request: StepRequest) -> Reply:
        """Raises NotFound."""
        found = await self._sessions.found(request)
        for step in await self._turns.steps(await self._sessions.turn(found.session, request.turn_id)):
            if step["step_id"] == request.step_id:
                return Reply.of({"step": step})
        raise NotFound(
            f"The turn `{request.turn_id}` has no step `{request.step_id[:100]}`",
            param="step_id",
            code="step_not_found",
        )
