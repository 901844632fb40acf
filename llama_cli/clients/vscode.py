"""VS Code's own chat, from 1.122 on: https://code.visualstudio.com/docs/copilot/customization/language-models

"Custom Endpoint" (`customendpoint`), in the file that `Chat: Manage Language Models` edits.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llama_cli.clients._client import Client, Server, config_home, home


def _file(environment: Mapping[str, str]) -> Path:
    place = home(environment) / "Library/Application Support" if sys.platform == "darwin" else config_home(environment)
    return place / "Code/User/chatLanguageModels.json"


def _settings(server: Server) -> list[dict[str, Any]]:
    answer = min(4096, server.context_length // 2)
    models = [
        {
            "id": model,
            "name": model,
            "url": f"{server.base_url}/chat/completions",
            "toolCalling": True,
            "vision": False,
            "maxInputTokens": server.context_length - answer,
            "maxOutputTokens": answer,
        }
        for model in server.models
    ]
    # A key is entered in the window, where VS Code keeps it; one that is needed by nobody can stand here.
    key = {} if server.has_key else {"apiKey": "none"}
    return [{"name": "Llama Stack", "vendor": "customendpoint", "apiType": "chat-completions", **key, "models": models}]


CLIENT = Client(
    summary="VS Code's chat, as a custom endpoint",
    page="https://code.visualstudio.com/docs/copilot/customization/language-models",
    file=_file,
    form="json",
    settings=_settings,
    then=lambda server: f"choose `{server.model}` in the chat's model list",
)
