"""Agents: a model with instructions and tools, under an id."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from runtime.apis._earlier.sampling import EarlierResponseFormat, SamplingParams
from runtime.apis._earlier.tool_definitions import (
    PARAMETER_TYPE,
    Choice,
    ParameterFacts,
    PromptFormat,
    ToolConfig,
)
from runtime.apis._json_schema import JsonSchema
from runtime.apis._names import ResourceId
from runtime.apis._request import AT_ONCE, Request, Response, example
from runtime.apis.inference.guardrails import Shields
from runtime.apis.responses.tools.tool_group import MOST_ARGUMENTS

MOST_ITERATIONS = 1000
"""As of a response."""
MOST_LEFT_OUT = 1_000_000_000
"""At the beginning of a list: databases know no number that is much larger."""


class ToolGroupWithArgs(Request):
    """A group of tools, or one of its tools, with arguments that the model does not choose."""

    name: ResourceId = Field(min_length=1, description="The group's id, or `group/tool` for one of its tools.")
    args: Annotated[dict[str, Any], Field(max_length=MOST_ARGUMENTS)] | None = Field(
        None,
        description="Arguments that each call has beside the model's. What may be a secret, such as `api_key`, is shown"
        " to nobody. Default: none.",
    )


AgentTool = Annotated[str, Field(min_length=1, max_length=512)] | ToolGroupWithArgs
"""A group of tools, or `group/tool`."""


class ClientToolParameter(ParameterFacts):
    """A parameter of a tool that the client runs."""

    name: str = Field(min_length=1, description="Its name.")
    parameter_type: str = PARAMETER_TYPE


class ClientTool(Request):
    """A tool that the client runs: a turn waits for it."""

    name: str = Field(min_length=1, description="Its name.")
    description: str | None = Field(None, description="What it does and when to call it. Default: nothing is said.")
    parameters: Annotated[list[ClientToolParameter], AT_ONCE] | None = Field(
        None, description="Its parameters. Default: it takes none."
    )
    input_schema: JsonSchema | None = Field(
        None, description="The same as the JSON Schema of an object; takes precedence. Default: `parameters`."
    )
    output_schema: JsonSchema | None = Field(
        None, description="What it gives back; not told to the model. Default: none."
    )
    toolgroup_id: str | None = Field(None, description="Without effect: the client runs it. Default: none.")
    metadata: dict[str, Any] | None = Field(None, description="Your own words about it; not told. Default: none.")
    tool_prompt_format: PromptFormat | None = Field(
        None, description="Without effect: each model has its own template for tools. Default: none."
    )


class AgentConfig(Request):
    """What an agent is."""

    model: ResourceId = Field(
        min_length=1, description="The model that answers: `provider_id/provider_model_id`, or an alias."
    )
    instructions: str = Field(description="How the model is to behave.")
    name: str | None = Field(None, max_length=512, description="A name for people. Default: none.")
    sampling_params: SamplingParams | None = Field(
        None, description="How answers are chosen. Default: the likeliest token each time."
    )
    toolgroups: Annotated[list[AgentTool], AT_ONCE] | None = Field(
        None, description="Tools that are run here: groups of tools, or `group/tool`. Default: none."
    )
    client_tools: Annotated[list[ClientTool], AT_ONCE] | None = Field(
        None, description="Tools that the client runs: a turn waits for what they give back. Default: none."
    )
    tool_choice: Choice | None = Field(
        None, description="The same as `tool_config.tool_choice`, which takes precedence. Default: `auto`."
    )
    tool_prompt_format: PromptFormat | None = Field(
        None, description="The same as `tool_config.tool_prompt_format`: without effect. Default: none."
    )
    tool_config: ToolConfig | None = Field(None, description="How tools are used. Default: as its fields say.")
    max_infer_iters: int | None = Field(
        10, ge=1, le=MOST_ITERATIONS, description="The most times that the model is asked in a turn. The default is 10."
    )
    response_format: EarlierResponseFormat | None = Field(
        None, description="The form of the answers: JSON of a schema. Default: any text."
    )
    input_shields: Shields | None = Field(
        None,
        description="Shields that what the user says and what tools give back go through; what one finds ends the turn."
        " Default: those of the run config's `safety.guardrails`, usually none.",
    )
    output_shields: Shields | None = Field(
        None,
        description="Shields that what the model says goes through. Default: none where there are `input_shields`, else"
        " those of the run config.",
    )
    enable_session_persistence: bool | None = Field(
        False, description="Without effect: sessions are always kept. The default is false."
    )


class CreateAgentRequest(Request):
    """An agent to make."""

    model_config = example(
        agent_config={"model": "SmolLM2-135M-Instruct", "instructions": "Answer in one sentence.", "max_infer_iters": 5}
    )

    agent_config: AgentConfig = Field(description="What it is.")


class AgentCreated(Response):
    """An agent that is made."""

    agent_id: str = Field(description="Its id.")


class Agent(Response):
    """An agent."""

    agent_id: str = Field(description="Its id.")
    agent_config: dict[str, Any] = Field(
        description="What it is, as it was given, with `********` for what may be a secret in the `args` of tools."
    )
    created_at: str = Field(description="When it was made, as a date and time of ISO 8601.")


class ListRequest(Request):
    """Which part of a list."""

    start_index: int | None = Field(
        None, ge=0, le=MOST_LEFT_OUT, description="How many are left out at the beginning. The default is 0."
    )
    limit: int | None = Field(
        None, ge=-1, le=1000, description="The most that are shown, at most 1000; -1 and 0 for that many. Default: 100."
    )


class AgentPage(Response):
    """A part of a list, the oldest first."""

    data: list[dict[str, Any]] = Field(description="What is listed.")
    has_more: bool = Field(
        description="Whether there is more behind it. A page of large ones may have fewer than were asked for."
    )
    url: str = Field(description="The list's path.")
