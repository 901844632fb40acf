"""What a model may call, as llama-stack before 0.4 has it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from runtime.apis._json_schema import JsonSchema
from runtime.apis._names import ResourceId
from runtime.apis._request import Request

PromptFormat = Literal["json", "function_tag", "python_list"]
Choice = ResourceId
"""`auto`, `required`, `none`, or the name of a tool."""


PARAMETER_TYPE = Field(description="Its JSON type, such as `string`; `int`, `float`, `str` and the like too.")


class ParameterFacts(Request):
    """What is said of a parameter beside its name and its type, which have other names in each of the forms."""

    description: str | None = Field(None, description="What it is for. Default: nothing is said.")
    required: bool | None = Field(True, description="Whether it must be given. The default is true.")
    items: JsonSchema | bool | None = Field(
        None, description="Of an array: the JSON Schema of what is in it. Default: anything."
    )
    title: str | None = Field(None, description="Its title. Default: none.")
    default: Any = Field(None, description="What it is when it is not given. Default: nothing is said.")


class ToolParam(ParameterFacts):
    """A parameter of a tool."""

    param_type: str = PARAMETER_TYPE


class ToolDefinition(Request):
    """A tool that the model may call."""

    tool_name: str = Field(
        min_length=1,
        description="Its name. `brave_search`, `wolfram_alpha`, `photogen` and `code_interpreter` are known without"
        " parameters.",
    )
    description: str | None = Field(None, description="What it does and when to call it. Default: nothing is said.")
    parameters: dict[str, ToolParam] | None = Field(None, description="Its parameters by name. Default: it takes none.")
    input_schema: JsonSchema | None = Field(
        None, description="The same as the JSON Schema of an object; takes precedence. Default: `parameters`."
    )
    output_schema: JsonSchema | None = Field(
        None, description="What it gives back; not told to the model. Default: none."
    )


class ToolConfig(Request):
    """How tools are used."""

    tool_choice: Choice | None = Field(
        "auto", description="`auto`, `required`, `none`, or the name of the tool to call. The default is `auto`."
    )
    tool_prompt_format: PromptFormat | None = Field(
        None,
        description="How tools are written for the model. Without effect: each model has its own template for that."
        " Default: none.",
    )
    system_message_behavior: Literal["append", "replace"] | None = Field(
        "append",
        description="`append`: the system message stands beside what tells the model its tools. `replace`, where the"
        " system message itself tells them, is refused. The default is `append`.",
    )
