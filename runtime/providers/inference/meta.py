"""Meta's Model API, with the Muse models. https://developer.meta.com/ai"""

from runtime.providers.inference._openai_compatible.spec import openai_compatible
from runtime.spec import wire

SPEC = openai_compatible(
    "meta",
    summary="Meta's own models at their makers",
    base_url="https://api.meta.ai/v1",
    api_key_env="META_API_KEY",
    completions=None,
    embeddings=None,
    evidence=wire("a local server with OpenAI's protocol; what Meta documents beyond it is not known"),
)
