"""Fireworks. https://docs.fireworks.ai/api-reference/post-chatcompletions"""

from runtime.providers.inference._openai_compatible.rules import (
    NO_ANSWER_FIELDS,
    NO_SIGNATURES,
    ONE_LIMIT,
    TEXT_ONLY,
    ignored,
    left_out,
)
from runtime.providers.inference._openai_compatible.spec import Chat, Completions, Embeddings, Rerank, openai_compatible
from runtime.spec import wire

_UNKNOWN = left_out(
    "store", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention",
    why="it answers 400 (extra inputs are not permitted) to it",
)  # fmt: skip

SPEC = openai_compatible(
    "fireworks",
    summary="Open-weight models hosted by Fireworks",
    base_url="https://api.fireworks.ai/inference/v1",
    api_key_env="FIREWORKS_API_KEY",
    aliases=("remote::fireworks-openai-compat",),
    chat=Chat(rules=(ONE_LIMIT, *_UNKNOWN, *NO_ANSWER_FIELDS, NO_SIGNATURES, *TEXT_ONLY), usage="always"),
    completions=Completions(usage="always"),
    embeddings=Embeddings(rules=left_out("user", "encoding_format", why="it does not know it, and we convert vectors")),
    rerank=Rerank(results="data", rules=ignored("max_tokens_per_doc", why="has no limit for a document")),
    evidence=wire("a local server that refuses what Fireworks' documentation does not have"),
)
