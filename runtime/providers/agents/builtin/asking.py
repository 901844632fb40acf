"""A turn as the response that it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from runtime.apis._earlier.tool_definitions import ToolConfig
from runtime.apis.agents.agent import AgentConfig, AgentTool, ClientTool
from runtime.apis.responses.protocol import CreateResponseRequest
from runtime.errors import RequestError
from runtime.invalid.in_json import wrong_in
from runtime.providers._earlier.schemas import Parameter, schema_of
from runtime.providers._earlier.settings import check_tool_config, json_format, nothing_to_call, sampling, tool_choice
from runtime.sse import Json
from runtime.telemetry.changes import note_change

_USUAL_ITERATIONS = 10
_CHOICES = ("tool_config.tool_choice", "agent_config.tool_choice")
_NAMES = {"max_tokens": "max_output_tokens"}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a turn's responses are asked with. toolgroups: those of the turn; tool_config: its own, or the
    agent's.
    """

    config: AgentConfig
    toolgroups: Sequence[AgentTool] = ()
    tool_config: ToolConfig | None = None

    @property
    def most(self) -> int:
        """How often the model is asked in a turn."""
        return self.config.max_infer_iters or _USUAL_ITERATIONS

    @property
    def all_groups(self) -> list[AgentTool]:
        """Of the agent and of the turn, each once."""
        groups: list[AgentTool] = []
        for one in (*(self.config.toolgroups or ()), *self.toolgroups):
            if one not in groups:
                groups.append(one)
        return groups


def check_config(config: AgentConfig) -> None:
    """Raises NotSupported and RequestError for what no turn of an agent could have."""
    names: set[str] = set()
    for at, tool in enumerate(config.client_tools or ()):
        if tool.name in names:
            field = f"agent_config.client_tools[{at}].name"
            raise RequestError(
                f"`{field}` is `{tool.name[:100]}`, as that of another tool",
                hint="give one of them another name: the model tells tools apart by their names",
                param=field,
            )
        names.add(tool.name)
    settings(Asked(config=config, tool_config=config.tool_config), None)


def response_request(settings: Json, items: list[Json], **more: object) -> CreateResponseRequest:
    """The request for a response. Raises RequestError for what a response cannot have."""
    asked = {**settings, "input": items, **{name: value for name, value in more.items() if value is not None}}
    try:
        return CreateResponseRequest.model_validate(asked)
    except ValidationError as error:
        wrong = wrong_in(asked, error, CreateResponseRequest)[0]
        raise RequestError(f"The turn cannot be asked: `{wrong.place}`: {wrong.words}", param=wrong.place) from None


def settings(asked: Asked, tools: Sequence[Json] | None) -> Json:
    """Everything of its request but the input. tools: those that are run here; None while that is not known. Raises
    RequestError, NotSupported.
    """
    config = asked.config
    said: Json = {"model": config.model, "instructions": config.instructions}
    if tools is not None and config.instructions:
        note_change("the agent's instructions were added")
    said |= {_NAMES.get(name, name): value for name, value in sampling(config.sampling_params).items()}
    check_tool_config(asked.tool_config, config.tool_prompt_format, "tool_config")
    functions = [_function(tool, at) for at, tool in enumerate(config.client_tools or ())]
    said["tools"] = [*(tools or ()), *functions]
    if config.input_shields or config.output_shields:
        said["guardrails"] = {"input": config.input_shields or [], "output": config.output_shields or []}
    if config.response_format is not None:
        schema = json_format(config.response_format, "agent_config.response_format")
        said["text"] = {"format": {"type": "json_schema", **schema}}
    if tools is not None and (choice := _choice(asked, said["tools"])) is not None:
        said["tool_choice"] = choice
    return said


def _choice(asked: Asked, tools: Sequence[Json]) -> str | Json | None:
    """Raises RequestError where a tool has to be called and there is none."""
    choice, field = tool_choice(asked.tool_config, asked.config.tool_choice, _CHOICES)
    if not tools:
        if choice in (None, "auto", "none"):
            return None
        raise nothing_to_call(field)
    if choice in (None, "auto", "none", "required"):
        return choice
    if any(tool["type"] == "function" and tool["name"] == choice for tool in tools):
        return {"type": "function", "name": choice}
    return {"type": "tool_group", "name": choice}


def _function(tool: ClientTool, at: int) -> Json:
    place = f"agent_config.client_tools[{at}].parameters"
    schema = tool.input_schema or schema_of(
        Parameter(name=one.name, kind=one.parameter_type, place=f"{place}[{number}].parameter_type", facts=one)
        for number, one in enumerate(tool.parameters or ())
    )
    said: Json = {"type": "function", "name": tool.name, "parameters": schema, "strict": False}
    if tool.description:
        said["description"] = tool.description
    return said
