"""Anthropic's SDKs: https://github.com/anthropics/anthropic-sdk-python#usage"""

import json

from llama_cli.clients._client import Client

CLIENT = Client(
    summary="Anthropic's SDKs, and what reads their variables",
    page="https://github.com/anthropics/anthropic-sdk-python",
    speaks="messages",
    variables=lambda server: {"ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": server.key},
    is_library=True,
    instead=("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_CUSTOM_HEADERS"),
    then=lambda server: f"Anthropic().messages.create(model={json.dumps(server.model)}, ...)",
)
