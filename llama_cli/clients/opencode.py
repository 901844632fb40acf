"""opencode: https://opencode.ai/docs/providers/#custom-provider"""

from typing import Any

from llama_cli.asking.reach import KEY_VARIABLE
from llama_cli.clients._client import NAME, Client, Server, config_home


def _settings(server: Server) -> dict[str, Any]:
    key = f"{{env:{KEY_VARIABLE}}}" if server.has_key else "none"
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "Llama Stack",
        "options": {"baseURL": server.base_url, "apiKey": key},
        "models": {model: {"name": model} for model in server.models},
    }
    return {"provider": {NAME: provider}, "model": f"{NAME}/{server.model}"}


CLIENT = Client(
    summary="a coding agent in a terminal",
    page="https://opencode.ai/docs/providers/",
    file=lambda environment: config_home(environment) / "opencode" / "opencode.json",
    form="json",
    settings=_settings,
    initial={"$schema": "https://opencode.ai/config.json"},
    then=lambda server: f"opencode run --model {server.in_shell(f'{NAME}/{server.model}')} Hi",
)
