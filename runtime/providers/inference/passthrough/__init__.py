"""Another Llama Stack, or any server with OpenAI's protocol, with what the caller sends for it.
https://platform.openai.com/docs/api-reference
"""

from runtime.providers.inference._openai_compatible.spec import (
    Chat,
    Rerank,
    openai_compatible,
)
from runtime.spec import wire

SPEC = openai_compatible(
    "passthrough",
    summary="Another Llama Stack or OpenAI-compatible server, also with the callers' own headers",
    base_url_env="PASSTHROUGH_URL",
    api_key_env="PASSTHROUGH_API_KEY",
    enabled_by="PASSTHROUGH_URL",
    adapter=".adapter:PassthroughInference",
    config=".config:PassthroughConfig",
    chat=Chat(reasoning_field="reasoning", developers=True),
    rerank=Rerank(),
    evidence=wire("a local server with OpenAI's protocol"),
)
