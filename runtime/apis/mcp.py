"""The stack as an MCP server, for editors and agents: its tools, its vector stores and its prompts.

https://modelcontextprotocol.io, over streamable HTTP, of both generations: with a handshake (2025-11-25 and before) and
without (2026-07-28).
"""

from __future__ import annotations

from typing import Protocol

from runtime.apis._api import Api, route
from runtime.apis._carriers import Application
from runtime.apis._request import Empty


class Mcp(Protocol):
    @route("ANY", "/mcp")
    async def serve_mcp(self, request: Empty) -> Application:
        """Speak MCP: list and call tools, list and fill prompts. Each request stands for itself, without a session."""
        ...


API = Api("mcp", Mcp, offered_with=("inference",))
