"""Serves MCP with the official SDK, which is imported at the first request: that takes seconds.

Each request stands for itself (the SDK's stateless mode), so that any replica can answer it and nothing is left open.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import runtime
from runtime.apis._carriers import Application
from runtime.apis._request import Empty
from runtime.apis.prompts.protocol import Prompts
from runtime.apis.tool_runtime.protocol import ToolRuntime
from runtime.apis.vector_stores.protocol import VectorStores
from runtime.errors import Unavailable
from runtime.provider import ProviderContext
from runtime.providers.mcp.builtin.offered_prompts import OfferedPrompts
from runtime.providers.mcp.builtin.offered_tools import OfferedTools

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager


class BuiltinMcp:
    """Implements `Mcp`."""

    def __init__(self, config: None, context: ProviderContext) -> None:
        tool_runtime = context.optional_api(ToolRuntime)  # type: ignore[type-abstract]
        stores = context.optional_api(VectorStores)  # type: ignore[type-abstract]
        prompts = context.optional_api(Prompts)  # type: ignore[type-abstract]
        self._tools = OfferedTools(tool_runtime, stores)
        self._prompts = OfferedPrompts(prompts)
        self._tasks = context.tasks
        self._application: asyncio.Future[Application] | None = None

    async def serve_mcp(self, request: Empty) -> Application:
        if self._application is None:
            self._application = asyncio.get_running_loop().create_future()
            self._tasks.spawn(self._live(self._application), name="MCP")
        return await asyncio.shield(self._application)

    async def _live(self, served: asyncio.Future[Application]) -> None:
        """Keep the SDK's manager open as long as the provider lives: it is closed by the task that opened it."""
        try:
            manager = await asyncio.to_thread(self._manager)
            async with manager.run():
                served.set_result(Application(manager.handle_request))
                await asyncio.Event().wait()
        finally:
            self._application = None
            if not served.done():
                served.set_exception(Unavailable("MCP is not served: see the log of the server"))

    def _manager(self) -> StreamableHTTPSessionManager:
        from mcp.server.lowlevel import Server
        from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

        handlers: dict[str, Any] = {**self._tools.handlers(), **self._prompts.handlers()}
        server = Server(
            "llama-stack",
            version=runtime.__version__,
            instructions=self._tools.instructions(),
            get_tool_input_schema=lambda name: None,  # no tool has arguments in headers; else each call lists all tools
            **handlers,
        )
        return StreamableHTTPSessionManager(server, json_response=False, stateless=True)
