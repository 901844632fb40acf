"""Novita AI. https://novita.ai/docs/api-reference/model-apis-llm-create-chat-completion
and https://novita.ai/docs/api-reference/model-apis-llm-create-rerank
"""

from runtime.providers.inference._openai_compatible.rules import NO_FUNCTIONS, ONE_LIMIT, TEXT_ONLY, ignored
from runtime.providers.inference._openai_compatible.spec import Chat, Rerank, openai_compatible
from runtime.spec import wire

SPEC = openai_compatible(
    "novita",
    summary="Open-weight models hosted by Novita AI",
    base_url="https://api.novita.ai/openai/v1",
    api_key_env="NOVITA_API_KEY",
    chat=Chat(rules=(ONE_LIMIT, *NO_FUNCTIONS, *TEXT_ONLY)),
    rerank=Rerank(rules=ignored("max_tokens_per_doc", why="has no limit for a document")),
    evidence=wire("a local server with OpenAI's protocol at its path"),
)
