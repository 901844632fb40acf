"""Cerebras' cloud. https://inference-docs.cerebras.ai/api-reference/chat-completions"""

from runtime.providers.inference._openai_compatible.rules import REASONING_BACK, TEXT_ONLY
from runtime.providers.inference._openai_compatible.spec import Chat, openai_compatible
from runtime.spec import wire

SPEC = openai_compatible(
    "cerebras",
    summary="Open-weight models on Cerebras' processors",
    base_url="https://api.cerebras.ai/v1",
    api_key_env="CEREBRAS_API_KEY",
    aliases=("remote::cerebras-openai-compat",),
    chat=Chat(rules=(REASONING_BACK, *TEXT_ONLY), reasoning_field="reasoning"),
    embeddings=None,
    evidence=wire("a local server that answers as Cerebras documents it, with its flat errors"),
)
