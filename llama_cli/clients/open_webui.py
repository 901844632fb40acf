"""Open WebUI: https://docs.openwebui.com/getting-started/env-configuration#openai"""

from llama_cli.clients._client import Client

CLIENT = Client(
    summary="a chat in the browser",
    page="https://docs.openwebui.com/getting-started/env-configuration",
    variables=lambda server: {
        "OPENAI_API_BASE_URL": server.base_url,
        "OPENAI_API_KEY": server.key,
        "DEFAULT_MODELS": server.model,
    },
    then=lambda server: "open-webui serve",
)
