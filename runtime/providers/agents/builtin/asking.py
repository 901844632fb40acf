"""A turn as the response that it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from runtime.apis._earlier.tool_definitions import ToolConfig
from runtime.apis.agents.agent import AgentConfig, AgentTool, ClientTool
from runtime.apis.responses.protocol import CreateResponseRequest
from runtime.errors import NotSupported, RequestError
from runtime.providers._earlier.schemas import object_of, property_of
from runtime.providers._earlier.settings import check_tool_config, json_format, sampling
from runtime.sse import Json

_USUAL_ITERATIONS = 10
_NAMES = {"max_tokens": "max_output_tokens"}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a turn's responses are asked with. toolgroups: those of the turn; tool_config: its own, or the agent's;
    choice: of tools.
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
    for name in ("input_shields", "output_shields"):
        if getattr(config, name):
            raise NotSupported(
                f"`agent_config.{name}` names shields, and this version has none",
                hint=f"leave `{name}` out",
                param=f"agent_config.{name}",
            )
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
    settings(Asked(config=config, tool_config=config.tool_config), [])


def response_request(settings: Json, items: list[Json], **more: object) -> CreateResponseRequest:
    """The request for a response. Raises RequestError for what a response cannot have."""
    asked = {**settings, "input": items, **{name: value for name, value in more.items() if value is not None}}
    try:
        return CreateResponseRequest.model_validate(asked)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"]))
        raise RequestError(f"The turn cannot be asked: `{field}`: {first['msg']}", param=field) from None


def settings(asked: Asked, tools: Sequence[Json]) -> Json:
    """Everything of its request but the input. tools: those that are run here. Raises RequestError, NotSupported."""
    config = asked.config
    said: Json = {"model": config.model, "instructions": config.instructions}
    said |= {_NAMES.get(name, name): value for name, value in sampling(config.sampling_params).items()}
    check_tool_config(asked.tool_config, config.tool_prompt_format, "tool_config")
    functions = [_function(tool, at) for at, tool in enumerate(config.client_tools or ())]
    said["tools"] = [*tools, *functions]
    if config.response_format is not None:
        schema = json_format(config.response_format, "agent_config.response_format")
        said["text"] = {"format": {"type": "json_schema", **schema}}
    if said["tools"] and (choice := _choice(asked, tools, functions)) is not None:
        said["tool_choice"] = choice
    return said


def _choice(asked: Asked, tools: Sequence[Json], functions: Sequence[Json]) -> str | Json | None:
    config = asked.tool_config
    choice = config.tool_choice if config and "tool_choice" in config.model_fields_set else asked.config.tool_choice
    if choice in (None, "auto", "none", "required"):
        return choice
    if any(function["name"] == choice for function in functions):
        return {"type": "function", "name": choice}
    return {"type": "tool_group", "name": choice}


def _function(tool: ClientTool, at: int) -> Json:
    place = f"agent_config.client_tools[{at}].parameters"
    parameters = tool.parameters or ()
    properties = {
        one.name: property_of(
            one.parameter_type,
            f"{place}[{number}].parameter_type",
            description=one.description,
            items=one.items,
            title=one.title,
            default=one.default,
        )
        for number, one in enumerate(parameters)
    }
    schema = tool.input_schema or object_of(properties, [one.name for one in parameters if one.required is not False])
    said: Json = {"type": "function", "name": tool.name, "parameters": schema, "strict": False}
    if tool.description:
        said["description"] = tool.description
    return said
