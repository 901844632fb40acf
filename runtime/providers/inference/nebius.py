"""Nebius Token Factory. https://docs.tokenfactory.nebius.com/"""

from runtime.providers.inference._openai_compatible.spec import (
    Chat,
    openai_compatible,
)
from runtime.spec import wire

SPEC = openai_compatible(
    "nebius",
    summary="Open-weight models hosted by Nebius Token Factory",
    base_url="https://api.tokenfactory.nebius.com/v1",
    api_key_env="NEBIUS_API_KEY",
    chat=Chat(reasoning_field="reasoning"),
    evidence=wire("a local server with OpenAI's protocol"),
)
