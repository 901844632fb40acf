"""How an answer is chosen and what form it has, as a chat completion says it."""

from __future__ import annotations

from runtime.apis._earlier.sampling import EarlierResponseFormat, GrammarFormat, SamplingParams
from runtime.apis._earlier.tool_definitions import PromptFormat, ToolConfig
from runtime.context import warn
from runtime.errors import NotSupported, RequestError
from runtime.sse import Json


def sampling(given: SamplingParams | None) -> Json:
    """Without any, the likeliest token is taken each time, as in those versions."""
    params = given or SamplingParams()
    asked: Json = {}
    if params.strategy.type == "greedy":
        asked["temperature"] = 0
    elif params.strategy.type == "top_p":
        asked |= {"temperature": params.strategy.temperature, "top_p": params.strategy.top_p}
    else:
        asked["top_k"] = params.strategy.top_k
    if params.repetition_penalty not in (None, 1):
        asked["repetition_penalty"] = params.repetition_penalty
    asked |= {"max_tokens": params.max_tokens or None, "stop": params.stop or None}
    return {name: value for name, value in asked.items() if value is not None}


def json_format(given: EarlierResponseFormat, place: str) -> Json:
    """The format by its name and schema. Raises NotSupported for a grammar. place: the field that has it."""
    if isinstance(given, GrammarFormat):
        raise NotSupported(
            f"`{place}` of the type `grammar` is not supported",
            hint="give a JSON Schema: the type `json_schema`",
            param=f"{place}.type",
        )
    return {"name": "answer", "schema": given.json_schema}


def check_tool_config(config: ToolConfig | None, prompt_format: PromptFormat | None, place: str) -> None:
    """Warn of what has no effect. prompt_format: the same field beside the config. place: the field that has the
    config. Raises NotSupported for words of the caller's own that tell the model its tools.
    """
    if config is not None and config.system_message_behavior == "replace":
        raise NotSupported(
            f"`{place}.system_message_behavior: replace` is not supported: each model has its own words for tools",
            hint="use `append`, the default",
            param=f"{place}.system_message_behavior",
        )
    if prompt_format or (config and config.tool_prompt_format):
        warn("`tool_prompt_format` has no effect: each model has its own template for tools")


def tool_choice(config: ToolConfig | None, beside: str | None, places: tuple[str, str]) -> tuple[str | None, str]:
    """Which tool is to be called, and the field that says so. beside: the same field beside the config, which counts
    where the config does not say. places: the two fields, the config's first.
    """
    if config is not None and "tool_choice" in config.model_fields_set:
        return config.tool_choice, places[0]
    return beside, places[1]


def nothing_to_call(field: str) -> RequestError:
    """The error for a choice of a tool where there is none."""
    return RequestError(
        f"`{field}` asks for a tool, and there are none", hint="give some, or leave it out", param=field
    )
