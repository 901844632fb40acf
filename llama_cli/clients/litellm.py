"""LiteLLM: https://docs.litellm.ai/docs/providers/openai_compatible, https://docs.litellm.ai/docs/proxy/configs

The proxy's config file has no fixed place, so it is printed. It does not start without a key of its own, which its
clients have to send: https://docs.litellm.ai/docs/proxy/virtual_keys
"""

from llama_cli.asking.reach import KEY_VARIABLE
from llama_cli.clients._client import NAME, Client, Server


def _text(server: Server) -> str:
    import json

    key = f"os.environ/{KEY_VARIABLE}" if server.has_key else "none"
    lines = ["model_list:"]
    for model in server.models:
        lines += [
            f"  - model_name: {json.dumps(f'{NAME}/{model}')}",
            "    litellm_params:",
            f"      model: {json.dumps(f'openai/{model}')}",
            f"      api_base: {server.base_url}",
            f"      api_key: {key}",
        ]
    return "\n".join(lines)


CLIENT = Client(
    summary="the gateway's `config.yaml`",
    page="https://docs.litellm.ai/docs/proxy/configs",
    text=_text,
    then=lambda server: 'export LITELLM_MASTER_KEY="sk-$(openssl rand -hex 32)"; litellm --config config.yaml',
)
