"""Cline: https://docs.cline.bot/provider-config/openai-compatible

In an editor its settings are in its window, so they are told; its command line takes them as options.
"""

from llama_cli.clients._client import Client, Server


def _text(server: Server) -> str:
    return (
        "in an editor, open its settings and enter\n"
        "  API Provider  OpenAI Compatible\n"
        f"  Base URL      {server.base_url}\n"
        f"  API Key       {server.key}\n"
        f"  Model ID      {server.model}"
    )


def _then(server: Server) -> str:
    key, model = server.in_shell(server.key), server.in_shell(server.model)
    return f"cline auth openai-compatible -k {key} -b {server.base_url} -m {model}"


CLIENT = Client(
    summary="a coding agent in editors and in a terminal",
    page="https://docs.cline.bot/provider-config/openai-compatible",
    text=_text,
    then=_then,
)
