"""Serve a running stack to an editor, as MCP over a pipe."""

from __future__ import annotations

from llama_cli.options import ServerName, Url, one_server


def command(name: ServerName = None, url: Url = None) -> None:
    """Serve the tools, vector stores and prompts of a running stack to an editor or agent that starts MCP servers as
    programs: the protocol is spoken over standard input and output.

    Programs that speak it over HTTP need no bridge: the server has it at `/mcp`.

    Examples:
      llama stack mcp starter
      llama stack mcp --url http://127.0.0.1:8321
    """
    import sys

    from llama_cli.asking import ask
    from llama_cli.asking.address import address_of
    from llama_cli.asking.mcp_bridge import Bridge
    from llama_cli.terminal import console

    address = address_of(one_server(name, url))
    ask.get(address, "/v1/health")
    Bridge(address, console.out).run(sys.stdin.buffer)
