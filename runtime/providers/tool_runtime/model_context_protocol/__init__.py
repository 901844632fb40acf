"""Tools of MCP servers: https://modelcontextprotocol.io."""

from runtime.spec import live, remote

SPEC = remote(
    "model-context-protocol",
    summary="Tools of MCP servers, each server a tool group",
    adapter=".adapter:McpTools",
    over_http=False,
    needs=("connectors",),
    evidence=live("servers of the official SDK, and the reference servers of npm"),
)
