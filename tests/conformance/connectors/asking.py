"""Connectors as the other providers ask them, without a stack around them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from runtime.access import User
from runtime.apis.connectors.protocol import CallServerToolRequest, ConnectorTool, McpServer, ToolOutcome
from runtime.conformance.contexts import provider_context
from runtime.context import RequestContext, serving
from runtime.http.client import HttpClient
from runtime.providers.connectors.builtin import SPEC
from runtime.providers.connectors.builtin.adapter import BuiltinConnectors
from runtime.providers.connectors.builtin.config import ConnectorsConfig


@dataclass(frozen=True, kw_only=True)
class Known:
    """A connector as the table of its kind knows it."""

    id: str
    facts: Mapping[str, Any]
    source: str = "config"
    provider_id: str = "builtin"
    kind: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    created: int = 0
    owner: User | None = None

    @property
    def provider_resource_id(self) -> str:
        return self.id


@dataclass
class Asking:
    """adapter: the provider; http: its client. where: the server that is asked, as fields of `McpServer`."""

    adapter: BuiltinConnectors
    http: HttpClient
    where: dict[str, Any] = field(default_factory=dict)

    def at(self, url: str, **where: Any) -> Asking:
        """Of a server that the run config names by its address."""
        return Asking(self.adapter, self.http, {"url": url, "is_configured": True, **where})

    async def tools(self, connector: Known | None = None, **more: Any) -> list[ConnectorTool]:
        request = McpServer(**(self._named(connector) | more))
        return (await self.adapter.list_server_tools(_routed(request, connector))).data

    async def names(self, connector: Known | None = None, **more: Any) -> list[str]:
        return [tool.name for tool in await self.tools(connector, **more)]

    async def call(
        self, name: str, arguments: dict[str, Any] | None = None, connector: Known | None = None, **more: Any
    ) -> ToolOutcome:
        facts = self._named(connector) | more
        request = CallServerToolRequest(**facts, tool_name=name, arguments=arguments or {})
        return await self.adapter.call_server_tool(_routed(request, connector))

    async def text(self, name: str, arguments: dict[str, Any] | None = None, **more: Any) -> str:
        """The text that a tool gives back."""
        return str((await self.call(name, arguments, **more)).content[0]["text"])

    def _named(self, connector: Known | None) -> dict[str, Any]:
        return self.where if connector is None else {"connector_id": connector.id}

    @property
    def left(self) -> tuple[int, int]:
        """How many sessions, and how many servers' connections, there are."""
        return self.adapter.pool.count, len(self.http.connections._others)


def _routed(request: Any, connector: Known | None) -> Any:
    return request if connector is None else request.routed_by(connector, "connector_id")


@asynccontextmanager
async def asking(**config: Any) -> AsyncIterator[Asking]:
    http = HttpClient("builtin")
    adapter = BuiltinConnectors(ConnectorsConfig(**config), provider_context(SPEC, http=http, provider_id="builtin"))
    try:
        yield Asking(adapter, http)
    finally:
        await adapter.stop()
        await http.close()


def caller(*, token: str | None = None, **facts: Any) -> serving:
    """Be a request with this token, for the code inside `with`."""
    headers = {} if token is None else {b"authorization": f"Bearer {token}".encode()}
    return serving(RequestContext(request_headers=headers, **facts))


async def until(holds: Callable[[], bool], *, within_s: float = 10) -> None:
    """Returns when something holds. Raises TimeoutError."""
    async with asyncio.timeout(within_s):
        while not holds():
            await asyncio.sleep(0.005)
