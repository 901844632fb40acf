"""Tools that a model may call, and which of them it must call.

https://platform.openai.com/docs/api-reference/chat/create. Kinds that are not known here travel on: some providers have
tools of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Required

from pydantic import Field, Tag
from typing_extensions import TypedDict

from runtime.apis._json_schema import JsonSchema
from runtime.apis._request import AT_ONCE
from runtime.apis.inference._shared import OPEN
from runtime.apis.inference.messages import by_type


class FunctionDefinition(TypedDict, total=False):
    """A function that the model may call."""

    __pydantic_config__ = OPEN  # type: ignore[misc]  # how pydantic configures a TypedDict
    name: Required[Annotated[str, Field(min_length=1, description="Its name: letters, digits, `_` and `-`.")]]
    description: Annotated[
        str | None, Field(description="What it does and when to call it, for the model. Default: none.")
    ]
    parameters: Annotated[
        JsonSchema | None, Field(description="Its arguments, as the JSON Schema of an object. Default: it takes none.")
    ]
    strict: Annotated[
        bool | None, Field(description="Whether the arguments must match the schema. Default: the provider's.")
    ]


class FunctionTool(TypedDict, total=False):
    """A function as a tool."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["function"]]
    function: Required[Annotated[FunctionDefinition, Field(description="The function.")]]


class Grammar(TypedDict, total=False):
    """What a custom tool's input looks like."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    definition: Required[Annotated[str, Field(description="The grammar.")]]
    syntax: Required[Annotated[str, Field(description="How it is written: `lark` or `regex`.")]]


class CustomFormat(TypedDict, total=False):
    """The form of a custom tool's input."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Annotated[str, Field(description="`text` for any text, or `grammar`.")]]
    grammar: Annotated[Grammar, Field(description="The grammar, where `type` is that.")]


class CustomDefinition(TypedDict, total=False):
    """A tool that takes text instead of JSON."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    name: Required[Annotated[str, Field(min_length=1, description="Its name.")]]
    description: Annotated[str | None, Field(description="What it does, for the model. Default: none.")]
    format: Annotated[CustomFormat | None, Field(description="The form of its input. Default: any text.")]


class CustomTool(TypedDict, total=False):
    """A custom tool."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["custom"]]
    custom: Required[Annotated[CustomDefinition, Field(description="The tool.")]]


class OtherTool(TypedDict, total=False):
    """A kind of tool that only some providers know."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Annotated[str, Field(description="The kind.")]]


Tool = Annotated[
    Annotated[FunctionTool, Tag("function")]
    | Annotated[CustomTool, Tag("custom")]
    | Annotated[OtherTool, Tag("other")],
    by_type("function", "custom"),
]


class NamedTool(TypedDict, total=False):
    """The name of a tool."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    name: Required[Annotated[str, Field(description="The tool's name.")]]


class FunctionChoice(TypedDict, total=False):
    """The function that the model must call."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["function"]]
    function: Required[Annotated[NamedTool, Field(description="Which function.")]]


class CustomChoice(TypedDict, total=False):
    """The custom tool that the model must call."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["custom"]]
    custom: Required[Annotated[NamedTool, Field(description="Which tool.")]]


class AllowedTools(TypedDict, total=False):
    """Some of the tools."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    mode: Required[
        Annotated[
            Literal["auto", "required"],
            Field(description="Whether the model may call one of them, or must: `required`."),
        ]
    ]
    tools: Required[
        Annotated[
            list[dict[str, Any]],
            AT_ONCE,
            Field(min_length=1, description='Which: `{"type": "function", "function": {"name": ...}}` for each.'),
        ]
    ]


class AllowedToolsChoice(TypedDict, total=False):
    """The tools among which the model may choose."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["allowed_tools"]]
    allowed_tools: Required[Annotated[AllowedTools, Field(description="The tools.")]]


class OtherChoice(TypedDict, total=False):
    """A choice that only some providers know."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Annotated[str, Field(description="The kind.")]]


ToolChoice = (
    str
    | Annotated[
        Annotated[FunctionChoice, Tag("function")]
        | Annotated[CustomChoice, Tag("custom")]
        | Annotated[AllowedToolsChoice, Tag("allowed_tools")]
        | Annotated[OtherChoice, Tag("other")],
        by_type("function", "custom", "allowed_tools"),
    ]
)


class FunctionNamed(TypedDict, total=False):
    """The function that the model must call, in the older form."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    name: Required[Annotated[str, Field(description="The function's name.")]]


class OlderFunction(TypedDict, total=False):
    """A function, in the older form."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    name: Required[Annotated[str, Field(min_length=1, description="Its name.")]]
    description: Annotated[str | None, Field(description="What it does, for the model. Default: none.")]
    parameters: Annotated[
        JsonSchema | None, Field(description="Its arguments, as the JSON Schema of an object. Default: it takes none.")
    ]


def name_of(tool: Mapping[str, Any]) -> str | None:
    """The name of a function or a custom tool, or of the one that a choice names; None if there is no name."""
    kind = tool.get("type")
    inner = tool.get(kind) if isinstance(kind, str) else None
    name = inner.get("name") if isinstance(inner, dict) else None
    return name if isinstance(name, str) else None


def names_of(tools: Sequence[Mapping[str, Any]] | None) -> set[str]:
    """The names of the functions and custom tools in a list of tools."""
    return {name for tool in tools or () if (name := name_of(tool)) is not None}


def named_in(choice: str | Mapping[str, Any] | None) -> list[str]:
    """The names of the tools that a choice (a `ToolChoice`) is about."""
    if choice is None or isinstance(choice, str):
        return []
    if choice["type"] == "allowed_tools":
        return sorted(names_of(choice["allowed_tools"]["tools"]))
    return sorted(names_of([choice]))  # it has the shape of a tool
