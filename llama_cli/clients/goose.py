"""goose: https://goose-docs.ai/docs/getting-started/providers"""

from collections.abc import Mapping

from llama_cli.clients._client import Client, Server


def _variables(server: Server) -> Mapping[str, str]:
    from urllib.parse import urlsplit

    parts = urlsplit(server.base_url)
    return {
        "GOOSE_PROVIDER": "openai",
        "GOOSE_MODEL": server.model,
        "OPENAI_HOST": f"{parts.scheme}://{parts.netloc}",
        "OPENAI_BASE_PATH": f"{parts.path.removeprefix('/')}/chat/completions",
        "OPENAI_API_KEY": server.key,
    }


CLIENT = Client(
    summary="an agent in a terminal and on the desktop",
    page="https://goose-docs.ai/docs/getting-started/providers",
    variables=_variables,
    then=lambda server: "goose session",
)
