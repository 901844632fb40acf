"""The events of a turn that is streamed. For documentation: they are made as dicts.

    turn_start, then for each step
        step_start, step_progress*, step_complete
    turn_complete, or turn_awaiting_input where the client has tools to run

They are `data:` events without names, and there is no `[DONE]`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from runtime.apis._earlier.answers import ContentDelta
from runtime.apis._request import Response
from runtime.apis.agents.steps import AgentStep, StepType
from runtime.apis.agents.turn import AgentTurn


class TurnStart(Response):
    """The turn is begun."""

    event_type: Literal["turn_start"] = "turn_start"
    turn_id: str = Field(description="Its id.")


class _OfStep(Response):
    step_type: StepType = Field(description="What the step is.")
    step_id: str = Field(description="Its id.")


class StepStart(_OfStep):
    """A step is begun."""

    event_type: Literal["step_start"] = "step_start"
    metadata: dict[str, Any] | None = Field(
        None, description="More about it: of shields, `touchpoint`, which is `user-input` or `assistant-output`."
    )


class StepProgress(_OfStep):
    """A step goes on."""

    event_type: Literal["step_progress"] = "step_progress"
    delta: ContentDelta = Field(description="What is new.")


class StepComplete(_OfStep):
    """A step is over."""

    event_type: Literal["step_complete"] = "step_complete"
    step_details: AgentStep = Field(description="The whole step.")


class TurnComplete(Response):
    """The turn is over."""

    event_type: Literal["turn_complete"] = "turn_complete"
    turn: AgentTurn = Field(description="The whole turn.")


class TurnAwaitingInput(Response):
    """The turn waits for tools of the client."""

    event_type: Literal["turn_awaiting_input"] = "turn_awaiting_input"
    turn: AgentTurn = Field(description="The turn so far; its `output_message` has the calls.")


class TurnEvent(Response):
    """What happened."""

    payload: Annotated[
        TurnStart | StepStart | StepProgress | StepComplete | TurnComplete | TurnAwaitingInput,
        Field(discriminator="event_type"),
    ] = Field(description="What happened, by `event_type`.")


class TurnChunk(Response):
    """One event of a turn."""

    event: TurnEvent = Field(description="The event.")
