"""How requests name an agent, a session, a turn and a step."""

from __future__ import annotations

from pydantic import Field

from runtime.apis._request import Request


class AgentRequest(Request):
    """Names an agent."""

    agent_id: str = Field(min_length=1, max_length=512, description="The agent's id.")


class SessionRequest(AgentRequest):
    """Names a session of an agent."""

    session_id: str = Field(min_length=1, max_length=512, description="The session's id.")


class TurnRequest(SessionRequest):
    """Names a turn of a session."""

    turn_id: str = Field(min_length=1, max_length=512, description="The turn's id.")


class StepRequest(TurnRequest):
    """Names a step of a turn."""

    step_id: str = Field(min_length=1, max_length=512, description="The step's id.")
