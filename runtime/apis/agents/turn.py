"""Turns: what the user says, the steps that the agent makes of it, and its answer."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from runtime.apis._earlier.content import ContentItem, EarlierUrl, InterleavedContent
from runtime.apis._earlier.messages import CompletionMessage, EarlierToolMessage, EarlierUserMessage
from runtime.apis._earlier.tool_definitions import ToolConfig
from runtime.apis._names import ResourceId
from runtime.apis._request import AT_ONCE, Request, Response, example
from runtime.apis.agents.agent import AgentTool
from runtime.apis.agents.naming import SessionRequest, TurnRequest
from runtime.apis.agents.steps import AgentStep

MOST_DOCUMENTS = 100
"""Of a turn."""


class AgentDocument(Request):
    """A document that a turn is about."""

    content: str | ContentItem | Annotated[list[ContentItem], AT_ONCE] | EarlierUrl = Field(
        description="What it says: a text, parts, or an address to read it from."
    )
    mime_type: str = Field(min_length=1, max_length=256, description="Its content type, such as `text/plain`.")


class CreateTurnRequest(SessionRequest):
    """What the user says."""

    model_config = example(messages=[{"role": "user", "content": "What do llamas eat?"}], stream=True)

    messages: Annotated[
        list[Annotated[EarlierUserMessage | EarlierToolMessage, Field(discriminator="role")]], AT_ONCE
    ] = Field(min_length=1, description="What the user says, or what the client's tools gave back.")
    stream: bool | None = Field(None, description="Send events while the turn is made. The default is false.")
    documents: Annotated[list[AgentDocument], AT_ONCE] | None = Field(
        None,
        max_length=MOST_DOCUMENTS,
        description="Documents that it is about, at most 100. With the tool `knowledge_search`"
        " they are kept in a vector store of the session; else the model reads them. Default: none.",
    )
    toolgroups: Annotated[list[AgentTool], AT_ONCE] | None = Field(
        None, description="Tools that are run here beside those of the agent. Default: none."
    )
    tool_config: ToolConfig | None = Field(
        None, description="How tools are used in this turn, in place of the agent's. Default: the agent's."
    )


class ToolResult(Request):
    """What a tool of the client gave back."""

    role: Literal["tool"] | None = Field(None, description="Always `tool`, from older clients. Default: none.")
    call_id: str = Field(min_length=1, description="The id of the call.")
    tool_name: ResourceId | None = Field(None, description="The tool's name; not needed. Default: the call's.")
    content: InterleavedContent = Field(description="What it gave back.")
    metadata: dict[str, Any] | None = Field(
        None, description="What it says beside that, which the model does not see. Default: nothing."
    )


class ResumeTurnRequest(TurnRequest):
    """What the client's tools gave back to a turn that waits for them."""

    model_config = example(tool_responses=[{"call_id": "call_1", "tool_name": "get_weather", "content": "Sunny."}])

    tool_responses: Annotated[list[ToolResult], AT_ONCE] = Field(
        min_length=1, description="What they gave back: for each call that the turn waits for."
    )
    stream: bool | None = Field(None, description="Send events while the turn goes on. The default is false.")


class AgentTurn(Response):
    """A turn."""

    turn_id: str = Field(description="Its id.")
    session_id: str = Field(description="The id of its session.")
    input_messages: list[dict[str, Any]] = Field(description="What it began with.")
    steps: list[AgentStep] = Field(description="What was done, in its order.")
    output_message: CompletionMessage = Field(
        description="What the model said in the end; it calls tools of the client where the turn waits for these."
    )
    output_attachments: list[dict[str, Any]] = Field(description="Files of the answer: none are made here.")
    started_at: str = Field(description="When it was begun, as a date and time of ISO 8601.")
    completed_at: str | None = Field(
        None, description="When it was over, as a date and time of ISO 8601; null while it runs or waits."
    )
