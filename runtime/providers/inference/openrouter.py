"""OpenRouter, one key for the models of many vendors. https://openrouter.ai/docs/api-reference/overview"""

from runtime.providers.inference._openai_compatible.rules import ONE_LIMIT, REASONING_BACK
from runtime.providers.inference._openai_compatible.spec import Chat, Completions, Rerank, openai_compatible
from runtime.spec import wire

SPEC = openai_compatible(
    "openrouter",
    summary="The models of many vendors through OpenRouter",
    base_url="https://openrouter.ai/api/v1",
    api_key_env="OPENROUTER_API_KEY",
    chat=Chat(rules=(ONE_LIMIT, REASONING_BACK), reasoning_field="reasoning", usage="always"),
    completions=Completions(usage="always"),
    rerank=Rerank(),
    evidence=wire("a local server that answers as OpenRouter documents it, also with errors inside a stream"),
)
