"""The operations of the API `agents`."""

from __future__ import annotations

from typing import Protocol

from runtime.apis._api import route
from runtime.apis.agents.agent import (
    Agent,
    AgentCreated,
    AgentPage,
    CreateAgentRequest,
    ListRequest,
)
from runtime.apis.agents.events import TurnChunk
from runtime.apis.agents.naming import AgentRequest, SessionRequest, StepRequest, TurnRequest
from runtime.apis.agents.session import (
    AgentSession,
    CreateSessionRequest,
    GetSessionRequest,
    ListSessionsRequest,
    SessionCreated,
)
from runtime.apis.agents.steps import StepAnswer
from runtime.apis.agents.turn import AgentTurn, CreateTurnRequest, ResumeTurnRequest
from runtime.errors import Conflict, NotFound, NotSupported, TooLarge, Unavailable
from runtime.sse import EventStream, Reply


class Agents(Protocol):
    """Every method raises Unavailable where what is kept cannot be reached, and NotFound, which says what is not there.
    llama-stack 0.3 had the same below `/v1alpha`.
    """

    @route(
        "POST",
        "/v1/agents",
        aliases=("/v1alpha/agents",),
        raises=(NotSupported,),
        deprecated=True,
    )
    async def create_agent(self, request: CreateAgentRequest) -> AgentCreated:
        """Make an agent. 501 for what an agent cannot have here, such as shields."""
        ...

    @route(
        "GET",
        "/v1/agents",
        aliases=("/v1alpha/agents",),
        deprecated=True,
    )
    async def list_agents(self, request: ListRequest) -> AgentPage:
        """List agents, the oldest first."""
        ...

    @route(
        "GET",
        "/v1/agents/{agent_id}",
        aliases=("/v1alpha/agents/{agent_id}",),
        deprecated=True,
    )
    async def get_agent(self, request: AgentRequest) -> Agent:
        """Get an agent. 404 for an unknown id."""
        ...

    @route(
        "DELETE",
        "/v1/agents/{agent_id}",
        aliases=("/v1alpha/agents/{agent_id}",),
        status=204,
        deprecated=True,
    )
    async def delete_agent(self, request: AgentRequest) -> None:
        """Delete an agent with its sessions. 404 for an unknown id."""
        ...

    @route(
        "POST",
        "/v1/agents/{agent_id}/session",
        aliases=("/v1alpha/agents/{agent_id}/session",),
        deprecated=True,
    )
    async def create_session(self, request: CreateSessionRequest) -> SessionCreated:
        """Begin a session. 404 for an unknown agent."""
        ...

    @route(
        "GET",
        "/v1/agents/{agent_id}/sessions",
        aliases=("/v1alpha/agents/{agent_id}/sessions",),
        deprecated=True,
    )
    async def list_sessions(self, request: ListSessionsRequest) -> AgentPage:
        """List sessions without their turns, the oldest first. 404 for an unknown agent."""
        ...

    @route(
        "GET",
        "/v1/agents/{agent_id}/session/{session_id}",
        aliases=("/v1alpha/agents/{agent_id}/session/{session_id}",),
        returns=AgentSession,
        raises=(TooLarge, NotFound, Unavailable),
        deprecated=True,
    )
    async def get_session(self, request: GetSessionRequest) -> Reply:
        """Get a session with its turns. 404 for an unknown agent, session or turn, named; 413 for more than 64 MiB."""
        ...

    @route(
        "DELETE",
        "/v1/agents/{agent_id}/session/{session_id}",
        aliases=("/v1alpha/agents/{agent_id}/session/{session_id}",),
        status=204,
        deprecated=True,
    )
    async def delete_session(self, request: SessionRequest) -> None:
        """Delete a session with its turns. 404 for an unknown id of either."""
        ...

    @route(
        "POST",
        "/v1/agents/{agent_id}/session/{session_id}/turn",
        aliases=("/v1alpha/agents/{agent_id}/session/{session_id}/turn",),
        returns=AgentTurn,
        streams=TurnChunk,
        raises=(Conflict, NotFound, NotSupported, Unavailable),
        deprecated=True,
    )
    async def create_turn(self, request: CreateTurnRequest) -> Reply | EventStream:
        """Answer what the user says. 409 while the session is busy or cannot go on; 404 for an unknown id, named."""
        ...

    @route(
        "GET",
        "/v1/agents/{agent_id}/session/{session_id}/turn/{turn_id}",
        aliases=("/v1alpha/agents/{agent_id}/session/{session_id}/turn/{turn_id}",),
        returns=AgentTurn,
        deprecated=True,
    )
    async def get_turn(self, request: TurnRequest) -> Reply:
        """Get a turn. 404 for an unknown agent, session or turn, named."""
        ...

    @route(
        "POST",
        "/v1/agents/{agent_id}/session/{session_id}/turn/{turn_id}/resume",
        aliases=("/v1alpha/agents/{agent_id}/session/{session_id}/turn/{turn_id}/resume",),
        returns=AgentTurn,
        streams=TurnChunk,
        raises=(Conflict, NotFound, NotSupported, Unavailable),
        deprecated=True,
    )
    async def resume_turn(self, request: ResumeTurnRequest) -> Reply | EventStream:
        """Go on with a turn that waits for tools of the client. 409 for one that does not."""
        ...

    @route(
        "GET",
        "/v1/agents/{agent_id}/session/{session_id}/turn/{turn_id}/step/{step_id}",
        aliases=("/v1alpha/agents/{agent_id}/session/{session_id}/turn/{turn_id}/step/{step_id}",),
        returns=StepAnswer,
        deprecated=True,
    )
    async def get_step(self, request: StepRequest) -> Reply:
        """Get a step of a turn. 404 for an unknown agent, session, turn or step, named."""
        ...
