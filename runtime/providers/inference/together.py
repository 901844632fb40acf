"""Together. https://docs.together.ai/reference/chat-completions"""

from runtime.providers.inference._openai_compatible.rules import (
    ONE_LIMIT,
    REASONING_BACK,
    TEXT_ONLY,
    LeftOut,
    Refused,
    ignored,
    refused,
)
from runtime.providers.inference._openai_compatible.spec import Chat, Completions, Embeddings, Rerank, openai_compatible
from runtime.spec import wire

_FINISH_REASONS = {"eos": "stop"}

SPEC = openai_compatible(
    "together",
    summary="Open-weight models hosted by Together",
    base_url="https://api.together.xyz/v1",
    api_key_env="TOGETHER_API_KEY",
    aliases=("remote::together-openai-compat",),
    chat=Chat(
        rules=(
            ONE_LIMIT,
            *refused("logprobs", "top_logprobs", why="gives log-probabilities in a form of its own", unless=(False,)),
            REASONING_BACK,
            *TEXT_ONLY,
        ),
        reasoning_field="reasoning",
        finish_reasons=_FINISH_REASONS,
    ),
    completions=Completions(finish_reasons=_FINISH_REASONS),
    embeddings=Embeddings(
        rules=(
            LeftOut("user", "it answers 400 (unrecognized arguments) to it"),
            Refused("dimensions", "has one length of vector for each model"),
        )
    ),
    rerank=Rerank(rules=ignored("max_tokens_per_doc", why="has no limit for a document")),
    evidence=wire("a local server that answers as Together documents it: a bare list of models, its finish reasons"),
)
