"""Baseten's shared endpoints. https://docs.baseten.co/inference/calling-your-model"""

from runtime.providers.inference._openai_compatible.rules import ONE_LIMIT
from runtime.providers.inference._openai_compatible.spec import Chat, openai_compatible
from runtime.spec import wire

SPEC = openai_compatible(
    "baseten",
    summary="Open-weight models hosted by Baseten",
    base_url="https://inference.baseten.co/v1",
    api_key_env="BASETEN_API_KEY",
    chat=Chat(rules=(ONE_LIMIT,)),
    completions=None,
    embeddings=None,
    evidence=wire("a local server with OpenAI's protocol"),
)
