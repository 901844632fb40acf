"""llama-stack-client: https://github.com/llamastack/llama-stack-client-python

`ogx-client` is the same under its newer name, and `langchain-llama-stack` is made for it.
"""

import json
from collections.abc import Mapping

from llama_cli.asking.reach import KEY_VARIABLE
from llama_cli.clients._client import Client, Server


def _text(server: Server) -> str:
    key = f', api_key=os.environ["{KEY_VARIABLE}"]' if server.has_key else ""
    above = "import os\n\n" if server.has_key else ""
    return (
        f"{above}from llama_stack_client import LlamaStackClient\n\n"
        f'client = LlamaStackClient(base_url="{server.url}"{key})\n'
        f'messages = [{{"role": "user", "content": "Hi"}}]\n'
        f"print(client.chat.completions.create(model={json.dumps(server.model)}, messages=messages))"
    )


def _variables(server: Server) -> Mapping[str, str]:
    return {
        "LLAMA_STACK_CLIENT_BASE_URL": server.url,
        "LLAMA_STACK_CLIENT_API_KEY": server.key,
        "OGX_CLIENT_BASE_URL": server.url,
        "OGX_CLIENT_API_KEY": server.key,
        "LLAMA_STACK_BASE_URL": server.url,
    }


CLIENT = Client(
    summary="the Llama Stack client in Python",
    page="https://github.com/llamastack/llama-stack-client-python",
    variables=_variables,
    text=_text,
    is_library=True,
    instead=("LLAMA_STACK_CLIENT_CUSTOM_HEADERS", "OGX_CLIENT_CUSTOM_HEADERS"),
)
