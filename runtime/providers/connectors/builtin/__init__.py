"""MCP servers, spoken to with the official SDK: https://modelcontextprotocol.io, both generations of the protocol."""

from runtime.spec import builtin, live

SPEC = builtin(
    summary="MCP servers over streamable HTTP, SSE and stdio",
    adapter=".adapter:BuiltinConnectors",
    config=".config:ConnectorsConfig",
    packages=("mcp>=2.3",),
    evidence=live("servers of the official SDK, and the reference servers of npm"),
)
