"""Functions, which the caller runs: the tool, the choice of it, the items of its calls, and their events.

https://platform.openai.com/docs/guides/function-calling.

    function_call_arguments.delta*, function_call_arguments.done
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Required

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from runtime.apis.inference._shared import OPEN
from runtime.apis.inference.tool_use import FunctionDefinition
from runtime.apis.responses.content import InputContent
from runtime.apis.responses.event_fields import OfItem
from runtime.apis.responses.item_fields import ID, STATUS, ItemStatus
from runtime.apis.responses.tool_kind import ItemKind, ToolKind


class FunctionTool(FunctionDefinition, total=False):
    """A function that the caller runs."""

    type: Required[Literal["function"]]


def _of_this_api(tool: Any) -> Any:
    if isinstance(tool, dict) and isinstance(tool.get("function"), dict) and "name" not in tool:
        message = "the members of `function` stand beside `type` here, unlike in chat completions"
        raise PydanticCustomError("chat_tool", message, {"inside": "function"})
    return tool


class FunctionChoice(TypedDict, total=False):
    """The function that the model must call."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["function"]]
    name: Required[Annotated[str, Field(min_length=1, description="The function's name.")]]


class FunctionCall(TypedDict, total=False):
    """A function that the model called, which the caller is to run."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["function_call"]]
    call_id: Required[Annotated[str, Field(min_length=1, description="The call's id, which its output names.")]]
    name: Required[Annotated[str, Field(min_length=1, description="The function's name.")]]
    arguments: Required[Annotated[str, Field(description="A JSON object, as text; a model may write a wrong one.")]]
    id: Annotated[str | None, ID]
    status: Annotated[ItemStatus | None, STATUS]


class FunctionCallOutput(TypedDict, total=False):
    """What a function gave back."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["function_call_output"]]
    call_id: Required[Annotated[str, Field(min_length=1, description="The id of the call that this answers.")]]
    output: Required[Annotated[InputContent, Field(description="The text, or parts of text, images and files.")]]
    id: Annotated[str | None, ID]
    status: Annotated[ItemStatus | None, STATUS]


class FunctionCallArgumentsDelta(OfItem):
    """A piece of a call's arguments."""

    type: Literal["response.function_call_arguments.delta"] = "response.function_call_arguments.delta"
    delta: str = Field(description="The next piece.")


class FunctionCallArgumentsDone(OfItem):
    """A call's arguments are complete."""

    type: Literal["response.function_call_arguments.done"] = "response.function_call_arguments.done"
    name: str = Field(description="The function's name.")
    arguments: str = Field(description="All of them, a JSON object as text.")


KIND = ToolKind(
    tool=Annotated[FunctionTool, BeforeValidator(_of_this_api)],
    choice=FunctionChoice,
    items=(
        ItemKind(shape=FunctionCall, prefix="fc_", has_status=True),
        ItemKind(shape=FunctionCallOutput, prefix="fco_", has_status=True, parts="output"),
    ),
    events=(FunctionCallArgumentsDelta, FunctionCallArgumentsDone),
)
