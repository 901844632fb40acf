"""Sessions: what an agent and its user have said to each other, turn by turn."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from runtime.apis._request import AT_ONCE, Response, example
from runtime.apis.agents.agent import ListRequest
from runtime.apis.agents.naming import AgentRequest, SessionRequest
from runtime.apis.agents.turn import AgentTurn


class CreateSessionRequest(AgentRequest):
    """A session to begin."""

    model_config = example(session_name="About llamas")

    session_name: str = Field(max_length=512, description="A name for people.")


class SessionCreated(Response):
    """A session that is begun."""

    session_id: str = Field(description="Its id.")


class GetSessionRequest(SessionRequest):
    """Names a session, and what of it is to be shown."""

    turn_ids: Annotated[list[str], AT_ONCE] | None = Field(None, description="Only these turns. Default: all of them.")


class ListSessionsRequest(AgentRequest, ListRequest):
    """Which of an agent's sessions to list."""


class AgentSession(Response):
    """A session."""

    session_id: str = Field(description="Its id.")
    session_name: str = Field(description="Its name.")
    agent_id: str = Field(description="The id of its agent.")
    turns: list[AgentTurn] = Field(description="Its turns, the oldest first.")
    started_at: str = Field(description="When it was begun, as a date and time of ISO 8601.")
