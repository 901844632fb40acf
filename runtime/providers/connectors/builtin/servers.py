"""Which MCP server a request means: where it is, how it is spoken to, and what of it may be used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from runtime.addresses import origin_of
from runtime.apis._request import Registered
from runtime.apis.connectors.protocol import McpServer, Transport
from runtime.errors import NotSupported, RequestError
from runtime.http.transport import host_of

ALLOWED_BY = "`allow_private_addresses` in the config of `connectors`, or names the server in its run config"
"""How whoever runs this server lets users name one that is not public."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """label: what messages call it. url: None for a program. is_trusted: whether the run config says where it is, so
    that it may be on this machine. identity: as whom it is asked. registered_by: the user who says where it is, if one
    does and is known. allowed_tools: None for all.
    """

    label: str
    url: str | None = field(default=None, repr=False)
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    transport: Transport = "auto"
    is_trusted: bool = False
    identity: str = "none"
    registered_by: str | None = None
    allowed_tools: frozenset[str] | None = None

    @property
    def key(self) -> tuple[Any, ...]:
        """The same for what can share a session, whoever asks."""
        return (self.label, self.url, self.command, *sorted(self.environment.items()), self.transport, self.is_trusted)

    def allows(self, tool: str) -> bool:
        return self.allowed_tools is None or tool in self.allowed_tools


def server_of(connector: Registered) -> Server:
    """The server of a connector."""
    facts = connector.facts
    allowed = facts.get("allowed_tools")
    return Server(
        label=facts.get("server_label") or connector.id,
        url=facts.get("url"),
        command=tuple(facts.get("command") or ()),
        environment=facts.get("environment") or {},
        transport=facts.get("transport") or "auto",
        is_trusted=connector.source == "config",
        identity=facts.get("identity") or "none",
        registered_by=None if connector.owner is None else connector.owner.principal,
        allowed_tools=None if allowed is None else frozenset(allowed),
    )


def named_server(request: McpServer) -> Server:
    """The server that a request names. Raises RequestError if it names none, or two, and NotSupported for credentials
    of a request for a program.
    """
    if request.resource is not None:
        server = server_of(request.resource)
        if request.url is not None and request.url != server.url:
            raise RequestError(
                f"Connector `{request.connector_id}` is at another address than `{origin_of(request.url)}`",
                hint="give either a connector or an address",
                param="server_url",
            )
        if server.command and (request.headers or request.authorization):
            raise NotSupported(
                f"Connector `{request.connector_id}` is a program: it takes no headers and no `authorization`"
            )
        return server
    if request.url is None:
        raise RequestError("An MCP server is named by a connector or by its address", param="server_url")
    label = host_of(request.url) or origin_of(request.url)[:200]
    return Server(label=label, url=request.url, is_trusted=request.is_configured)
