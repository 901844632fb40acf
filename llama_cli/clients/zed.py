"""Zed: https://zed.dev/docs/ai/use-api-access#openai-compatible

It takes the key from a variable that is called after the provider: `LLAMA_STACK_API_KEY`, which is ours.
"""

from typing import Any

from llama_cli.clients._client import NAME, Client, Server, config_home


def _settings(server: Server) -> dict[str, Any]:
    models = [
        {"name": model, "display_name": model, "max_tokens": server.context_length, "capabilities": {"tools": True}}
        for model in server.models
    ]
    return {"language_models": {"openai_compatible": {NAME: {"api_url": server.base_url, "available_models": models}}}}


CLIENT = Client(
    summary="an editor with an agent panel",
    page="https://zed.dev/docs/ai/use-api-access",
    variables=lambda server: {"LLAMA_STACK_API_KEY": server.key} if not server.has_key else {},
    file=lambda environment: config_home(environment) / "zed" / "settings.json",
    form="json",
    settings=_settings,
    then=lambda server: f"start Zed with `LLAMA_STACK_API_KEY` set, and choose `{server.model}` in the agent panel",
)
