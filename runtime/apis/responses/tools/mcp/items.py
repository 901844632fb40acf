"""The items of MCP servers: which tools one has, calls of these, and what the caller is asked about a call.

https://platform.openai.com/docs/guides/tools-connectors-mcp
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Required

from pydantic import Field
from typing_extensions import TypedDict

from runtime.apis._request import AT_ONCE
from runtime.apis.inference._shared import OPEN
from runtime.apis.responses.item_fields import ID
from runtime.similar import LONGEST_NAME

_LABEL = Field(description="The server's label in the request's tools.")
_NAME = Field(min_length=1, description="The tool's name at its server.")
_ARGUMENTS = Field(description="A JSON object, as text.")


class McpListedTool(TypedDict, total=False):
    """A tool that an MCP server has."""

    __pydantic_config__ = OPEN  # type: ignore[misc]  # how pydantic configures a TypedDict
    name: Required[Annotated[str, _NAME]]
    input_schema: Required[Annotated[Any, Field(description="Its arguments, as the JSON Schema of an object.")]]
    description: Annotated[str | None, Field(description="What it does and when to call it. Default: not said.")]
    annotations: Annotated[Any, Field(description="What the server says of what it does. Default: nothing.")]


class McpListTools(TypedDict, total=False):
    """The tools of an MCP server, as they were when the model was asked. As input, it says nothing to the model."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["mcp_list_tools"]]
    server_label: Required[Annotated[str, _LABEL]]
    tools: Required[Annotated[Annotated[list[McpListedTool], AT_ONCE], Field(description="Those that may be called.")]]
    error: Annotated[str | None, Field(description="Why they could not be listed. Default: they were.")]
    id: Annotated[str | None, ID]


class McpCall(TypedDict, total=False):
    """A tool of an MCP server that the model called, and what it gave back."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["mcp_call"]]
    server_label: Required[Annotated[str, _LABEL]]
    name: Required[Annotated[str, _NAME]]
    arguments: Required[Annotated[str, _ARGUMENTS]]
    output: Annotated[str | None, Field(description="What it gave back. Default: nothing, since it failed.")]
    error: Annotated[
        str | dict[str, Any] | None,
        Field(
            description="Why it failed: an object with `type`, which is `mcp_tool_execution_error` (with `content`),"
            " `mcp_protocol_error` or `http_error` (with `code` and `message`), or a text. Default: it did not."
        ),
    ]
    approval_request_id: Annotated[
        str | None, Field(description="The item by which the caller was asked for it. Default: the caller was not.")
    ]
    id: Annotated[str | None, ID]
    status: Annotated[
        str | None, Field(description="`in_progress`, `calling`, `completed`, `incomplete` or `failed`. Default: none.")
    ]


class McpApprovalRequest(TypedDict, total=False):
    """A tool of an MCP server that the model wants to call, and which the caller has to allow or refuse."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["mcp_approval_request"]]
    id: Required[
        Annotated[str, Field(min_length=1, max_length=LONGEST_NAME, description="The id that the answer names.")]
    ]
    server_label: Required[Annotated[str, _LABEL]]
    name: Required[Annotated[str, _NAME]]
    arguments: Required[Annotated[str, _ARGUMENTS]]


class McpApprovalResponse(TypedDict, total=False):
    """What the caller answers to an `mcp_approval_request`. A call that is allowed is made first of all."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["mcp_approval_response"]]
    approval_request_id: Required[
        Annotated[str, Field(min_length=1, max_length=LONGEST_NAME, description="The id of the request.")]
    ]
    approve: Required[Annotated[bool, Field(description="Whether the call may be made.")]]
    reason: Annotated[str | None, Field(description="Why it may not, which the model is told. Default: not said.")]
    id: Annotated[str | None, ID]
