"""The steps of a turn: the model is asked, tools are run, shields look."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from runtime.apis._earlier.messages import CompletionMessage, EarlierToolCall
from runtime.apis._request import Response
from runtime.apis.safety.shielding import SafetyViolation

StepType = Literal["inference", "tool_execution", "shield_call", "memory_retrieval"]


class _Step(Response):
    turn_id: str = Field(description="The id of its turn.")
    step_id: str = Field(description="Its id.")
    started_at: str | None = Field(None, description="When it was begun, as a date and time of ISO 8601.")
    completed_at: str | None = Field(None, description="When it was complete, as a date and time of ISO 8601.")


class InferenceStep(_Step):
    """The model was asked."""

    step_type: Literal["inference"] = "inference"
    model_response: CompletionMessage = Field(description="What it said.")


class ToolAnswer(Response):
    """What a tool gave back."""

    call_id: str = Field(description="The id of the call.")
    tool_name: str = Field(description="The tool's name.")
    content: str | list[dict[str, Any]] = Field(description="What it gave back, or what went wrong.")
    metadata: dict[str, Any] | None = Field(None, description="What it says beside that, which the model does not see.")


class ToolExecutionStep(_Step):
    """Tools were run, here or by the client."""

    step_type: Literal["tool_execution"] = "tool_execution"
    tool_calls: list[EarlierToolCall] = Field(description="The calls.")
    tool_responses: list[ToolAnswer] = Field(description="What the tools gave back.")


class ShieldCallStep(_Step):
    """Shields have looked at what was asked, or at what was answered."""

    step_type: Literal["shield_call"] = "shield_call"
    violation: SafetyViolation | None = Field(None, description="What one has found, which ends the turn; else null.")


AgentStep = Annotated[InferenceStep | ToolExecutionStep | ShieldCallStep, Field(discriminator="step_type")]


class StepAnswer(Response):
    """A step."""

    step: AgentStep = Field(description="The step.")
