"""xAI's Grok models. https://docs.x.ai/docs/api-reference"""

from runtime.providers.inference._openai_compatible.rules import Ignored
from runtime.providers.inference._openai_compatible.spec import Chat, openai_compatible
from runtime.spec import wire

SPEC = openai_compatible(
    "xai",
    summary="xAI's Grok models",
    base_url="https://api.x.ai/v1",
    api_key_env="XAI_API_KEY",
    chat=Chat(rules=(Ignored("tools[].function.strict", "has no strict tools", unless=(False,)),)),
    embeddings=None,
    evidence=wire("a local server that answers as xAI documents it"),
)
