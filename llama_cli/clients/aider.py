"""Aider: https://aider.chat/docs/llms/openai-compat.html, https://aider.chat/docs/config/aider_conf.html"""

from llama_cli.clients._client import Client, Server, home


def _then(server: Server) -> str:
    return f"OPENAI_API_KEY={server.in_shell(server.key)} aider --model {server.in_shell(f'openai/{server.model}')}"


CLIENT = Client(
    summary="pair programming in a terminal",
    page="https://aider.chat/docs/llms/openai-compat.html",
    variables=lambda server: {"OPENAI_API_BASE": server.base_url, "OPENAI_API_KEY": server.key},
    file=lambda environment: home(environment) / ".aider.conf.yml",
    form="yaml",
    settings=lambda server: {"openai-api-base": server.base_url, "model": f"openai/{server.model}"},
    then=_then,
)
