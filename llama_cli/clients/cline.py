"""Cline: https://docs.cline.bot/provider-config/openai-compatible

Its settings are in its window only, so they are told.
"""

from llama_cli.clients._client import Client, Server


def _text(server: Server) -> str:
    return (
        "open its settings and enter\n"
        "  API Provider  OpenAI Compatible\n"
        f"  Base URL      {server.base_url}\n"
        f"  API Key       {server.key}\n"
        f"  Model ID      {server.model}"
    )


CLIENT = Client(
    summary="a coding agent in VS Code",
    page="https://docs.cline.bot/provider-config/openai-compatible",
    text=_text,
)
