"""OpenAI's SDKs: https://github.com/openai/openai-python#usage"""

import json

from llama_cli.clients._client import Client

CLIENT = Client(
    summary="OpenAI's SDKs, and what reads their variables",
    page="https://github.com/openai/openai-python",
    variables=lambda server: {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": server.key},
    is_library=True,
    instead=("OPENAI_ADMIN_KEY",),
    then=lambda server: f"OpenAI().chat.completions.create(model={json.dumps(server.model)}, ...)",
)
