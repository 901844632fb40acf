"""Connectors over the official MCP SDK: sessions, lists of tools and credentials in one place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from runtime.apis._request import Registered
from runtime.apis.connectors import CONNECTOR
from runtime.apis.connectors.protocol import (
    CallServerToolRequest,
    Connector,
    ConnectorRequest,
    ConnectorTool,
    ConnectorToolRequest,
    ConnectorTools,
    McpServer,
    ToolOutcome,
)
from runtime.context import warn
from runtime.errors import NotFound, RequestError, StackError
from runtime.http.given_addresses import check_registered
from runtime.provider import ProviderContext
from runtime.providers.connectors.builtin.config import ClientCredentials, ConnectorsConfig, TokenExchange
from runtime.providers.connectors.builtin.identities import AskedAs, Identities
from runtime.providers.connectors.builtin.outcomes import outcome_of
from runtime.providers.connectors.builtin.pool import Pool
from runtime.providers.connectors.builtin.servers import ALLOWED_BY, Server, named_server, server_of
from runtime.providers.connectors.builtin.tokens import Tokens
from runtime.providers.connectors.builtin.tool_lists import ToolLists
from runtime.similar import did_you_mean

if TYPE_CHECKING:
    from runtime.providers.connectors.builtin.session import Session


class BuiltinConnectors:
    def __init__(self, config: ConnectorsConfig, context: ProviderContext) -> None:
        self._config = config
        self._lists = ToolLists(config)
        self.pool = Pool(context.http, config, changed=self._lists.changed)
        tokens = {
            name: Tokens(name, identity, context.http)
            for name, identity in config.identities.items()
            if isinstance(identity, ClientCredentials | TokenExchange)
        }
        self._identities = Identities(config.identities, tokens, provider_id=context.provider_id)

    async def stop(self) -> None:
        await self.pool.close()

    async def check_registration(self, resource: Registered) -> None:
        """Raises RequestError for a connector whose address users may not name."""
        self._check(server_of(resource), "url")

    async def check_server(self, request: McpServer) -> None:
        self._check(named_server(request), "server_url")

    def _check(self, server: Server, param: str) -> None:
        if server.url is None or server.is_trusted or self._config.allow_private_addresses:
            return
        try:
            check_registered(server.url, allowed_by=ALLOWED_BY)
        except RequestError as error:
            raise error.saying(error.message, param=param) from None

    async def get_connector(self, request: ConnectorRequest) -> Connector:
        """A connector whose server cannot be asked now is shown with a warning, since it is registered all the same."""
        assert request.resource is not None, "it is routed by its connector"
        name = version = None
        try:
            server = server_of(request.resource)
            name, version = await self._introduced(server, self._identities.of(server))
        except StackError as error:
            warn(error.message)
        shown = CONNECTOR.shown(request.resource)
        assert isinstance(shown, Connector), "it is a connector's answer"
        return shown.model_copy(update={"server_name": name, "server_version": version})

    async def list_connector_tools(self, request: ConnectorRequest) -> ConnectorTools:
        assert request.resource is not None, "it is routed by its connector"
        server = server_of(request.resource)
        return await self._listed(server, self._identities.of(server))

    async def get_connector_tool(self, request: ConnectorToolRequest) -> ConnectorTool:
        assert request.resource is not None, "it is routed by its connector"
        server = server_of(request.resource)
        return await self._tool(server, self._identities.of(server), request.tool_name)

    async def list_server_tools(self, request: McpServer) -> ConnectorTools:
        server = named_server(request)
        return await self._listed(server, self._identities.of(server, request))

    async def call_server_tool(self, request: CallServerToolRequest) -> ToolOutcome:
        server = named_server(request)
        asked_as = self._identities.of(server, request)
        name = (await self._tool(server, asked_as, request.tool_name)).name
        result, trial = await self.pool.asked(
            server, asked_as, lambda session: session.called(name, request.arguments), repeats=False
        )
        return outcome_of(result, trial, limit_bytes=self._config.max_result_bytes)

    async def _listed(self, server: Server, asked_as: AskedAs) -> ConnectorTools:
        return ConnectorTools(data=await self._lists.of(self.pool, server, asked_as))

    async def _tool(self, server: Server, asked_as: AskedAs, name: str) -> ConnectorTool:
        """Raises NotFound for a tool that the server does not have, or that may not be called."""
        tools = await self._lists.of(self.pool, server, asked_as)
        if (found := _named(tools, name)) is not None:
            return found
        if server.allows(name):
            tools = await self._lists.of(self.pool, server, asked_as, anew=True)
            if (found := _named(tools, name)) is not None:
                return found
        raise NotFound(
            f"MCP server `{server.label}` has no tool `{name}`",
            hint=did_you_mean(name, [tool.name for tool in tools]),
            param="tool_name",
        )

    async def _introduced(self, server: Server, asked_as: AskedAs) -> tuple[str | None, str | None]:
        """What a server calls itself, and its version."""

        async def info(session: Session) -> tuple[str | None, str | None]:
            found = session.info
            return (found.name or None, found.version or None) if found is not None else (None, None)

        return await self.pool.asked(server, asked_as, info, repeats=True)


def _named(tools: Sequence[ConnectorTool], name: str) -> ConnectorTool | None:
    return next((tool for tool in tools if tool.name == name), None)
