"""An MCP server as a tool of a response: where it is, as whom it is asked, and what may be called without asking.

https://platform.openai.com/docs/guides/tools-connectors-mcp. Closed: what is not known here may be a credential, which
nothing may keep or show.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Required

from pydantic import AfterValidator, ConfigDict, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from runtime.apis._names import ResourceId
from runtime.apis._request import AT_ONCE
from runtime.apis.inference._shared import OPEN

_CLOSED = ConfigDict(extra="forbid")
_Names = Annotated[list[ResourceId], AT_ONCE]


class McpToolFilter(TypedDict, total=False):
    """Tools by what they are; those that match everything that is given."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]  # how pydantic configures a TypedDict
    tool_names: Annotated[_Names | None, Field(description="Their names. Default: any.")]
    read_only: Annotated[
        bool | None,
        Field(
            description="Whether the server says, by `readOnlyHint`, that they change nothing; it may be wrong."
            " Default: either."
        ),
    ]


def _shape(given: Any) -> str:
    return "names" if isinstance(given, list) else "filter"


McpTools = Annotated[
    Annotated[_Names, Tag("names")] | Annotated[McpToolFilter, Tag("filter")],
    Discriminator(_shape),
]
"""Tools by their names, or by what they are."""


class McpApprovalFilter(TypedDict, total=False):
    """Which tools the caller has to allow. One that is in neither has to be allowed, and so has one that is in both."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]
    always: Annotated[McpTools | None, Field(description="Those that have to be allowed each time. Default: none.")]
    never: Annotated[McpTools | None, Field(description="Those that need not be allowed. Default: none.")]


def _is_somewhere(tool: Any) -> Any:
    if not (tool.get("server_url") or tool.get("connector_id")):
        message = "needs `server_url` or `connector_id`"
        raise PydanticCustomError("no_server", message, {"inside": "server_url"})
    if tool.get("server_url") and tool.get("connector_id"):
        message = "`server_url` and `connector_id` cannot both be given: each is a server"
        raise PydanticCustomError("two_servers", message, {"inside": "connector_id"})
    if tool.get("authorization") and any(name.lower() == "authorization" for name in tool.get("headers") or ()):
        message = "is given, and so is the header `Authorization`, which it would be sent as"
        raise PydanticCustomError("two_authorizations", message, {"inside": "authorization"})
    return tool


class _McpTool(TypedDict, total=False):
    """Tools of an MCP server, which are called from here. Its `headers` and `authorization` are never kept or shown."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]
    type: Required[Literal["mcp"]]
    server_label: Required[
        Annotated[str, Field(min_length=1, max_length=256, description="What its items are labelled with.")]
    ]
    server_url: Annotated[
        str | None,
        Field(
            max_length=4096,
            description="Its address, of which a response shows the scheme and the host. Default: `connector_id` says.",
        ),
    ]
    connector_id: Annotated[ResourceId | None, Field(description="A connector of `/v1/connectors`. Default: none.")]
    server_description: Annotated[
        str | None, Field(max_length=4096, description="What it is for, which the model is told. Default: not said.")
    ]
    headers: Annotated[
        Annotated[dict[str, str], Field(max_length=64)] | None,
        Field(description="What is sent to it with each request. Default: nothing."),
    ]
    authorization: Annotated[
        str | None,
        Field(max_length=65536, description="An OAuth token that is sent to it, without `Bearer`. Default: none."),
    ]
    allowed_tools: Annotated[McpTools | None, Field(description="What the model may call. Default: all of them.")]
    require_approval: Annotated[
        Literal["always", "never"] | McpApprovalFilter | None,
        Field(description="Whether the caller has to allow a call: `always`, `never`, or which. Default: `always`."),
    ]
    defer_loading: Annotated[
        bool | None, Field(description="Accepted, and without effect: the model is told of all tools. Default: false.")
    ]
    allowed_callers: Annotated[
        Annotated[list[Literal["direct"]], AT_ONCE] | None,
        Field(description="Who may call: `direct`, the model itself. Default: the same."),
    ]


McpTool = Annotated[_McpTool, AfterValidator(_is_somewhere)]


class McpChoice(TypedDict, total=False):
    """The model must call a tool of an MCP server."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["mcp"]]
    server_label: Required[Annotated[str, Field(min_length=1, description="The server's label.")]]
    name: Annotated[str | None, Field(description="The tool's name at the server. Default: any of them.")]
