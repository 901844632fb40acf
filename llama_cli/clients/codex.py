"""Codex CLI: https://developers.openai.com/codex/config-advanced

It speaks the Responses API only (`wire_api = "chat"` is refused since 2026). A profile is a file of its own.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from llama_cli.asking.reach import KEY_VARIABLE
from llama_cli.clients._client import NAME, Client, Server, home


def _settings(server: Server) -> str:
    lines = [
        f"model = {json.dumps(server.model, ensure_ascii=False)}",
        f'model_provider = "{NAME}"',
        "",
        f'[model_providers."{NAME}"]',
        'name = "Llama Stack"',
        f"base_url = {json.dumps(server.base_url)}",
        'wire_api = "responses"',
        *([f'env_key = "{KEY_VARIABLE}"'] if server.has_key else []),
    ]
    return "\n".join(lines) + "\n"


def _file(environment: Mapping[str, str]) -> Path:
    given = environment.get("CODEX_HOME")
    return (Path(given) if given else home(environment) / ".codex") / f"{NAME}.config.toml"


CLIENT = Client(
    summary="OpenAI's coding agent in a terminal",
    page="https://developers.openai.com/codex/config-advanced",
    speaks="responses",
    file=_file,
    form="toml",
    settings=_settings,
    then=lambda server: f"codex --profile {NAME}",
)
