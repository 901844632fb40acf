"""OpenAI's SDKs: https://github.com/openai/openai-python#usage"""

import json

from llama_cli.clients._client import Client

CLIENT = Client(
    summary="OpenAI's SDKs, and what reads their variables",
    page="https://github.com/openai/openai-python",
    variables=lambda server: {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": server.key},
    is_library=True,
    # The type of the API makes the module itself a client of Azure's, wherever the address leads.
    instead=("OPENAI_ADMIN_KEY", "OPENAI_CUSTOM_HEADERS", "OPENAI_API_TYPE"),
    then=lambda server: f"OpenAI().chat.completions.create(model={json.dumps(server.model)}, ...)",
)
