"""Continue: https://docs.continue.dev/reference"""

from typing import Any

from llama_cli.asking.reach import KEY_VARIABLE
from llama_cli.clients._client import NAME, Client, Server, home


def _settings(server: Server) -> dict[str, Any]:
    key = f"${{{{ secrets.{KEY_VARIABLE} }}}}" if server.has_key else "none"
    models = [
        {
            "name": f"{NAME}: {model}",
            "provider": "openai",
            "model": model,
            "apiBase": server.base_url,
            "apiKey": key,
            "roles": ["chat", "edit", "apply"],
        }
        for model in server.models
    ]
    return {"models": models}


CLIENT = Client(
    summary="an assistant in VS Code and JetBrains",
    page="https://docs.continue.dev/reference",
    file=lambda environment: home(environment) / ".continue" / "config.yaml",
    form="yaml",
    settings=_settings,
    initial={"name": "Local", "version": "1.0.0", "schema": "v1"},
    then=lambda server: f"choose `{NAME}: {server.model}` in the model list",
)
