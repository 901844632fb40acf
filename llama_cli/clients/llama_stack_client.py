"""llama-stack-client: https://github.com/llamastack/llama-stack-client-python"""

import json

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


CLIENT = Client(
    summary="the Llama Stack client in Python",
    page="https://github.com/llamastack/llama-stack-client-python",
    text=_text,
)
