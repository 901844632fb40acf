"""Custom tools in a response, which are called with text in place of JSON: the tool, the choice of it, the items of its
calls, and their events.

https://platform.openai.com/docs/guides/function-calling#custom-tools.

    custom_tool_call_input.delta*, custom_tool_call_input.done
"""

from __future__ import annotations

from typing import Annotated, Literal, Required

from pydantic import Field
from typing_extensions import TypedDict

from runtime.apis.inference._shared import OPEN
from runtime.apis.responses.content import InputContent
from runtime.apis.responses.event_fields import OfItem
from runtime.apis.responses.item_fields import ID, STATUS, ItemStatus
from runtime.apis.responses.tool_kind import ItemKind, ToolKind


class AnyText(TypedDict, total=False):
    """The input is any text."""

    __pydantic_config__ = OPEN  # type: ignore[misc]  # how pydantic configures a TypedDict
    type: Required[Literal["text"]]


class Grammar(TypedDict, total=False):
    """The input is of a grammar."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["grammar"]]
    syntax: Required[Annotated[Literal["lark", "regex"], Field(description="How it is written: `lark` or `regex`.")]]
    definition: Required[Annotated[str, Field(min_length=1, description="The grammar.")]]


class CustomTool(TypedDict, total=False):
    """A tool of the caller's that is called with text."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["custom"]]
    name: Required[Annotated[str, Field(min_length=1, description="Its name: letters, digits, `_` and `-`.")]]
    description: Annotated[
        str | None, Field(description="What it does and what its input is, for the model. Default: none.")
    ]
    format: Annotated[
        Annotated[AnyText | Grammar, Field(discriminator="type")] | None,
        Field(description="What its input is like. Default: any text."),
    ]


class CustomChoice(TypedDict, total=False):
    """The custom tool that the model must call."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["custom"]]
    name: Required[Annotated[str, Field(min_length=1, description="The tool's name.")]]


class CustomToolCall(TypedDict, total=False):
    """A custom tool that the model called, which the caller is to run."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["custom_tool_call"]]
    call_id: Required[Annotated[str, Field(min_length=1, description="The call's id, which its output names.")]]
    name: Required[Annotated[str, Field(min_length=1, description="The tool's name.")]]
    input: Required[Annotated[str, Field(description="What it is called with.")]]
    id: Annotated[str | None, ID]
    status: Annotated[ItemStatus | None, STATUS]


class CustomToolCallOutput(TypedDict, total=False):
    """What a custom tool gave back."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["custom_tool_call_output"]]
    call_id: Required[Annotated[str, Field(min_length=1, description="The id of the call that this answers.")]]
    output: Required[Annotated[InputContent, Field(description="The text, or parts of text, images and files.")]]
    id: Annotated[str | None, ID]
    status: Annotated[ItemStatus | None, STATUS]


class CustomToolCallInputDelta(OfItem):
    """A piece of what a custom tool is called with."""

    type: Literal["response.custom_tool_call_input.delta"] = "response.custom_tool_call_input.delta"
    delta: str = Field(description="The next piece.")


class CustomToolCallInputDone(OfItem):
    """What a custom tool is called with is complete."""

    type: Literal["response.custom_tool_call_input.done"] = "response.custom_tool_call_input.done"
    input: str = Field(description="All of it.")


KIND = ToolKind(
    tool=CustomTool,
    choice=CustomChoice,
    items=(
        ItemKind(shape=CustomToolCall, prefix="ctc_", has_status=True),
        ItemKind(shape=CustomToolCallOutput, prefix="ctco_", has_status=True, parts="output"),
    ),
    events=(CustomToolCallInputDelta, CustomToolCallInputDone),
)
