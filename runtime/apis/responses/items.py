"""The items of a conversation, as the Responses API has them: messages, thoughts, calls and what they gave back.

https://platform.openai.com/docs/api-reference/responses/create and https://www.openresponses.org. The same shapes go in
as input, come out as output, and are kept in conversations. They stay plain dicts.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Required

from pydantic import AfterValidator, Discriminator, Field, Tag
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from runtime.apis._request import AT_ONCE
from runtime.apis.inference._shared import OPEN
from runtime.apis.responses.code_interpreter import CodeInterpreterCall
from runtime.apis.responses.content import InputContent, MessageContent, ReasoningText, SummaryText
from runtime.apis.responses.custom_tool import CustomToolCall, CustomToolCallOutput
from runtime.apis.responses.item_fields import ID, STATUS, ItemStatus
from runtime.apis.responses.mcp_items import McpApprovalRequest, McpApprovalResponse, McpCall, McpListTools
from runtime.apis.responses.web_search import WebSearchCall


class Message(TypedDict, total=False):
    """What somebody said."""

    __pydantic_config__ = OPEN  # type: ignore[misc]  # how pydantic configures a TypedDict
    type: Annotated[Literal["message"], Field(description="`message`, which is also what an item with a role is.")]
    role: Required[
        Annotated[
            Literal["user", "assistant", "system", "developer"],
            Field(description="Who: `user`, `assistant`, `system` or `developer`."),
        ]
    ]
    content: Required[Annotated[MessageContent, Field(description="The text, or parts of text, images and files.")]]
    id: Annotated[str | None, ID]
    status: Annotated[ItemStatus | None, STATUS]


def _shows_only_to_models(message: dict[str, Any]) -> dict[str, Any]:
    """No provider takes images that a model would have shown."""
    if message["role"] == "assistant" and isinstance(message["content"], list):
        for place, part in enumerate(message["content"]):
            if part["type"] == "input_image":
                where = {"inside": f"content[{place}].type"}
                raise PydanticCustomError("shown_by_model", "an assistant's message cannot have images", where)
    return message


class Reasoning(TypedDict, total=False):
    """What a model thought before it went on."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Annotated[Literal["reasoning"], Field(description="Always `reasoning`.")]]
    summary: Annotated[Annotated[list[SummaryText], AT_ONCE], Field(description="A summary of it.")]
    content: Annotated[
        Annotated[list[ReasoningText], AT_ONCE] | None, Field(description="What it thought. Default: not given.")
    ]
    encrypted_content: Annotated[
        str | None,
        Field(description="What it thought, readable for the server that wrote it only. Default: not given."),
    ]
    id: Annotated[str | None, ID]
    status: Annotated[ItemStatus | None, STATUS]


class FunctionCall(TypedDict, total=False):
    """A function that the model called, which the caller is to run."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Annotated[Literal["function_call"], Field(description="Always `function_call`.")]]
    call_id: Required[Annotated[str, Field(min_length=1, description="The call's id, which its output names.")]]
    name: Required[Annotated[str, Field(min_length=1, description="The function's name.")]]
    arguments: Required[Annotated[str, Field(description="A JSON object, as text; a model may write a wrong one.")]]
    id: Annotated[str | None, ID]
    status: Annotated[ItemStatus | None, STATUS]


class FunctionCallOutput(TypedDict, total=False):
    """What a function gave back."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Annotated[Literal["function_call_output"], Field(description="Always `function_call_output`.")]]
    call_id: Required[Annotated[str, Field(min_length=1, description="The id of the call that this answers.")]]
    output: Required[Annotated[InputContent, Field(description="The text, or parts of text, images and files.")]]
    id: Annotated[str | None, ID]
    status: Annotated[ItemStatus | None, STATUS]


class FileSearchCall(TypedDict, total=False):
    """A search of vector stores that the model asked for and the server made. As input, it says nothing to the model:
    what was found is in the answer that followed.
    """

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Annotated[Literal["file_search_call"], Field(description="Always `file_search_call`.")]]
    queries: Annotated[list[str], Field(description="What was looked for.")]
    results: Annotated[list[dict[str, Any]] | None, Field(description="What was found, if asked for by `include`.")]
    id: Annotated[str | None, ID]
    status: Annotated[str | None, Field(description="`in_progress`, `searching`, `completed`, `incomplete`, `failed`.")]


class Compaction(TypedDict, total=False):
    """What an earlier part of the conversation comes down to."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Annotated[Literal["compaction"], Field(description="Always `compaction`.")]]
    encrypted_content: Required[Annotated[str, Field(description="The summary, as the server wrote it.")]]
    id: Annotated[str | None, ID]


class ItemReference(TypedDict, total=False):
    """An item that the server has, by its id."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Annotated[Literal["item_reference"] | None, Field(description="`item_reference`, or nothing.")]
    id: Required[Annotated[str, Field(min_length=1, description="The item's id.")]]


KINDS = (
    "message",
    "reasoning",
    "function_call",
    "function_call_output",
    "custom_tool_call",
    "custom_tool_call_output",
    "file_search_call",
    "web_search_call",
    "code_interpreter_call",
    "mcp_list_tools",
    "mcp_call",
    "mcp_approval_request",
    "mcp_approval_response",
    "compaction",
    "item_reference",
)
_UNKNOWN = "unknown"


def kind_of(item: Any) -> str | None:
    """The kind of an item by its `type`, and where it has none, by what it holds; None for what is no item."""
    if not isinstance(item, dict):
        return None
    kind = item.get("type")
    if kind is None:
        return "message" if "role" in item else "item_reference" if "id" in item else None
    return kind if isinstance(kind, str) else None


def _tag_of(item: Any) -> str:
    kind = kind_of(item)
    return kind if kind in KINDS else _UNKNOWN


def _refuse(item: Any) -> Any:
    if not isinstance(item, dict):
        raise PydanticCustomError("no_item", "Input should be an object")
    facts = {"known": ", ".join(map(repr, KINDS)), "inside": "type"}
    if item.get("type") is None:
        raise PydanticCustomError("item_type", "Input should be one of {known}", facts)
    given = {"given": str(item["type"])[:100]}
    raise PydanticCustomError("item_type", "Input should be one of {known}, not '{given}'", facts | given)


Item = Annotated[
    Annotated[Message, AfterValidator(_shows_only_to_models), Tag("message")]
    | Annotated[Reasoning, Tag("reasoning")]
    | Annotated[FunctionCall, Tag("function_call")]
    | Annotated[FunctionCallOutput, Tag("function_call_output")]
    | Annotated[CustomToolCall, Tag("custom_tool_call")]
    | Annotated[CustomToolCallOutput, Tag("custom_tool_call_output")]
    | Annotated[FileSearchCall, Tag("file_search_call")]
    | Annotated[WebSearchCall, Tag("web_search_call")]
    | Annotated[CodeInterpreterCall, Tag("code_interpreter_call")]
    | Annotated[McpListTools, Tag("mcp_list_tools")]
    | Annotated[McpCall, Tag("mcp_call")]
    | Annotated[McpApprovalRequest, Tag("mcp_approval_request")]
    | Annotated[McpApprovalResponse, Tag("mcp_approval_response")]
    | Annotated[Compaction, Tag("compaction")]
    | Annotated[ItemReference, Tag("item_reference")]
    | SkipJsonSchema[Annotated[Any, AfterValidator(_refuse), Tag(_UNKNOWN)]],
    Discriminator(_tag_of),
]
Items = Annotated[list[Item], AT_ONCE]
