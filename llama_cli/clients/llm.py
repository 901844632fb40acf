"""LLM: https://llm.datasette.io/en/stable/other-models.html#openai-compatible-models"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llama_cli.clients._client import NAME, Client, Server, config_home, home


def _file(environment: Mapping[str, str]) -> Path:
    if given := environment.get("LLM_USER_PATH"):
        return Path(given) / "extra-openai-models.yaml"
    place = home(environment) / "Library/Application Support" if sys.platform == "darwin" else config_home(environment)
    return place / "io.datasette.llm" / "extra-openai-models.yaml"


def _settings(server: Server) -> list[dict[str, Any]]:
    key = {"api_key_name": NAME} if server.has_key else {}
    return [
        {"model_id": f"{NAME}/{model}", "model_name": model, "api_base": server.base_url, **key}
        for model in server.models
    ]


def _then(server: Server) -> str:
    keys = f"llm keys set {NAME}; " if server.has_key else ""
    return f"{keys}llm -m {server.in_shell(f'{NAME}/{server.model}')} Hi"


CLIENT = Client(
    summary="Simon Willison's `llm` command line",
    page="https://llm.datasette.io/en/stable/other-models.html",
    file=_file,
    form="yaml",
    settings=_settings,
    then=_then,
)
