"""This stack as an MCP server."""

from runtime.spec import builtin, live

SPEC = builtin(
    summary="This stack as an MCP server: its tools, its vector stores, its prompts",
    adapter=".adapter:BuiltinMcp",
    packages=("mcp>=2.3",),
    may_use=("tool_runtime", "vector_stores", "prompts"),
    evidence=live("the official client, both generations of the protocol"),
)
