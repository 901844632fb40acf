"""The operations of the API `connectors`, and what they take and return."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Protocol

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from runtime.apis._api import inner, route
from runtime.apis._names import AskedAddress, ResourceId
from runtime.apis._request import AT_ONCE, Empty, Registered, Request, Response, example
from runtime.errors import NotSupported, Unavailable

Transport = Literal["auto", "streamable_http", "sse", "stdio"]


class Connector(Response):
    """A registered MCP server."""

    connector_id: str = Field(description="Its id.")
    identifier: str = Field(description="The same as `connector_id`.")
    connector_type: Literal["mcp"] = "mcp"
    provider_id: str = Field(description="The provider of `connectors` that speaks to it.")
    url: str | None = Field(
        None,
        description="Its address; null for a program that this server starts. Who has not registered it sees the host"
        " alone: what follows may be a key.",
    )
    server_label: str | None = Field(None, description="What its tools are called after.")
    server_description: str | None = Field(None, description="What it is for.")
    server_name: str | None = Field(None, description="What it calls itself; null until it was asked.")
    server_version: str | None = Field(None, description="Its version; null until it was asked.")
    identity: str = Field(
        description="As whom it is asked: `none`, `caller` (with the caller's own token), or a name from the run config"
        " for what this stack identifies itself with."
    )
    allowed_tools: list[str] | None = Field(None, description="The tools that may be called; null for all.")


class ConnectorList(Response):
    """The connectors that the caller may see."""

    data: list[Connector] = Field(description="Every connector.")


class ConnectorRequest(Request):
    """Which connector."""

    connector_id: ResourceId = Field(min_length=1, description="Its id.")


class ConnectorTool(Response):
    """A tool of an MCP server."""

    name: str = Field(description="Its name there.")
    title: str | None = Field(None, description="Its name for people.")
    description: str | None = Field(None, description="What it does and when to call it, for a model.")
    input_schema: dict[str, Any] = Field(description="Its arguments, as the JSON Schema of an object.")
    output_schema: dict[str, Any] | None = Field(None, description="What it gives back, as a JSON Schema.")
    annotations: dict[str, Any] | None = Field(
        None, description="What the server says of what it does, such as `readOnlyHint`; nobody has checked that."
    )


class ConnectorTools(Response):
    """The tools of an MCP server that may be called."""

    data: list[ConnectorTool] = Field(description="Every tool.")


class ConnectorToolRequest(ConnectorRequest):
    """Which tool of a connector."""

    tool_name: ResourceId = Field(min_length=1, description="The tool's name.")


class RegisterConnectorRequest(Request):
    """An MCP server to know by a name. No credentials: these are the run config's, or the caller's in each request."""

    model_config = example(connector_id="weather", url="https://weather.example/mcp", server_label="weather")

    connector_id: ResourceId = Field(min_length=1, description="The name to ask for.")
    connector_type: Literal["mcp"] = Field("mcp", description="Always `mcp`, which is the default.")
    provider_id: ResourceId | None = Field(
        None, description="The provider that speaks to it. Default: the only one there is."
    )
    url: AskedAddress = Field(description="Its address, `https://` or `http://`.")
    transport: Literal["auto", "streamable_http", "sse"] = Field(
        "auto", description="How it is spoken to. The default, `auto`, tries streamable HTTP and then SSE."
    )
    server_label: str | None = Field(
        None, max_length=256, description="What its tools are called after. Default: `connector_id`."
    )
    server_description: str | None = Field(None, max_length=4096, description="What it is for. Default: not said.")
    identity: Literal["none", "caller"] = Field(
        "none", description="As whom it is asked: `none`, the default, or `caller`, with the caller's own token."
    )
    allowed_tools: Annotated[list[str], AT_ONCE] | None = Field(
        None, description="The tools that may be called. Default: all."
    )


class ConfiguredConnector(Request):
    """An MCP server that the run config names. Unlike one that a user registers, it may be on this machine, may be a
    program, and may be asked as the stack itself.
    """

    model_config = ConfigDict(extra="forbid")

    connector_id: ResourceId = Field(min_length=1, description="The name to ask for.")
    connector_type: Literal["mcp"] = Field("mcp", description="Always `mcp`, which is the default.")
    provider_id: ResourceId | None = Field(None, description="The provider that speaks to it. Default: the only one.")
    url: AskedAddress | None = Field(None, description="Its address. Default: `command` says what it is.")
    transport: Transport = Field(
        "auto", description="How it is spoken to. The default, `auto`, is `stdio` for a command, else what it answers."
    )
    command: list[str] | None = Field(
        None,
        min_length=1,
        description="A program that is started and spoken to over its input and output. Default: `url` says it.",
    )
    environment: dict[str, str] = Field(
        default_factory=dict, description="Variables for the program, beside `PATH` and `HOME`. Default none."
    )
    server_label: str | None = Field(None, description="What its tools are called after. Default: `connector_id`.")
    server_description: str | None = Field(None, description="What it is for. Default: not said.")
    identity: str = Field(
        "none",
        description="As whom it is asked: `none`, the default; `caller`, with the caller's own token; or one of the"
        " `identities` in its provider's config.",
    )
    allowed_tools: Annotated[list[str], AT_ONCE] | None = Field(
        None, description="The tools that may be called. Default: all."
    )

    @model_validator(mode="after")
    def _is_somewhere(self) -> ConfiguredConnector:
        if (self.url is None) == (self.command is None):
            raise PydanticCustomError("connector", "needs either `url` or `command`")
        return self


class McpServer(Request):
    """An MCP server as a request names it, with what only that request may know. Never kept, logged or shown."""

    connector_id: ResourceId | None = Field(None, description="A connector. Default: `url` says where it is.")
    url: str | None = Field(
        None, max_length=4096, repr=False, description="Its address. Default: that of its connector."
    )
    headers: Mapping[str, str] = Field(
        default_factory=dict,
        repr=False,
        exclude=True,
        description="What is sent to it with each request. Default: nothing.",
    )
    authorization: str | None = Field(
        None, repr=False, exclude=True, description="A token that is sent to it, without `Bearer`. Default: none."
    )
    is_configured: bool = Field(
        False,
        exclude=True,
        description="Whether the run config says where `url` leads, so that it may be on this machine. Default: a user"
        " says it.",
    )


class CallServerToolRequest(McpServer):
    """A call of a tool of an MCP server."""

    tool_name: ResourceId = Field(min_length=1, description="The tool's name there.")
    arguments: dict[str, Any] = Field(default_factory=dict, repr=False, description="Its arguments. Default: none.")


class ToolOutcome(Response):
    """What a tool of an MCP server gave back."""

    content: list[dict[str, Any]] = Field(description="Parts, as MCP has them.")
    structured_content: dict[str, Any] | None = Field(None, description="The same as JSON, if the tool gives it.")
    is_error: bool = Field(False, description="Whether the tool says that it failed.")


def _older(path: str) -> tuple[str, ...]:
    """Where older versions have a path."""
    return tuple(f"{begin}{path}" for begin in ("/v1beta", "/v1alpha", "/v1alpha/admin"))


class Connectors(Protocol):
    """A server that cannot be reached, or that refuses us, is an error that says as whom it was asked."""

    @route(
        "GET",
        "/v1/connectors",
        aliases=_older("/connectors"),
        registry="list",
        returns=ConnectorList,
    )
    async def list_connectors(self, request: Empty) -> ConnectorList:
        """Every connector."""
        ...

    @route("POST", "/v1/connectors", registry="register")
    async def register_connector(self, request: RegisterConnectorRequest) -> Connector:
        """Register an MCP server; it is still there after a restart. 409 when the name is another connector's."""
        ...

    @route(
        "GET",
        "/v1/connectors/{connector_id}",
        aliases=_older("/connectors/{connector_id}"),
        key="connector_id",
        raises=(NotSupported, Unavailable),
    )
    async def get_connector(self, request: ConnectorRequest) -> Connector:
        """One connector, with what its server says of itself. 404 with close matches for an unknown one."""
        ...

    @route("DELETE", "/v1/connectors/{connector_id}", registry="remove", status=204)
    async def unregister_connector(self, request: ConnectorRequest) -> None:
        """Forget a registered connector. 409 for one of the run config."""
        ...

    @route(
        "GET",
        "/v1/connectors/{connector_id}/tools",
        aliases=_older("/connectors/{connector_id}/tools"),
        key="connector_id",
        raises=(NotSupported, Unavailable),
    )
    async def list_connector_tools(self, request: ConnectorRequest) -> ConnectorTools:
        """The tools of a connector that may be called. A server that cannot list them is an error."""
        ...

    @route(
        "GET",
        "/v1/connectors/{connector_id}/tools/{tool_name}",
        aliases=_older("/connectors/{connector_id}/tools/{tool_name}"),
        key="connector_id",
        raises=(NotSupported, Unavailable),
    )
    async def get_connector_tool(self, request: ConnectorToolRequest) -> ConnectorTool:
        """One tool of a connector. 404 with close matches for an unknown one."""
        ...

    @inner(key="connector_id")
    async def check_server(self, request: McpServer) -> None:
        """Raises RequestError for a server that users may not name, before it is asked."""
        ...

    @inner(key="connector_id")
    async def list_server_tools(self, request: McpServer) -> ConnectorTools:
        """The tools of a server that may be called."""
        ...

    @inner(key="connector_id")
    async def call_server_tool(self, request: CallServerToolRequest) -> ToolOutcome:
        """Call a tool of a server. Raises NotFound for a tool that it does not have or that may not be called."""
        ...


def answer(connector: Registered) -> Connector:
    facts = connector.facts
    return Connector(
        connector_id=connector.id,
        identifier=connector.id,
        provider_id=connector.provider_id,
        url=facts.get("url"),
        server_label=facts.get("server_label") or connector.id,
        server_description=facts.get("server_description"),
        identity=facts.get("identity") or "none",
        allowed_tools=facts.get("allowed_tools"),
    )
