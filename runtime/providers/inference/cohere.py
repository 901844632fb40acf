"""Cohere: chat and embeddings at its OpenAI-compatible endpoint, reranking and the list of models at its own API.
https://docs.cohere.com/docs/compatibility-api
"""

from runtime.providers.inference._openai_compatible.rules import (
    NO_LOGIT_BIAS,
    NO_LOGPROBS,
    ONE_ANSWER,
    ONE_LIMIT,
    TEXT_ONLY,
    OneOf,
    Refused,
    ignored,
    left_out,
    refused,
)
from runtime.providers.inference._openai_compatible.spec import Chat, Embeddings, Rerank, openai_compatible
from runtime.spec import wire

_UNSUPPORTED = "its compatibility endpoint does not support it"

SPEC = openai_compatible(
    "cohere",
    summary="Cohere's Command, Embed and Rerank models",
    base_url="https://api.cohere.com/compatibility/v1",
    api_key_env="COHERE_API_KEY",
    models_path="../../v1/models?page_size=1000",
    chat=Chat(
        rules=(
            ONE_LIMIT,
            *left_out("store", "metadata", "service_tier", "prediction", why=_UNSUPPORTED),
            NO_LOGIT_BIAS,
            ONE_ANSWER,
            *NO_LOGPROBS,
            Refused("parallel_tool_calls", "cannot be kept from several calls at once", unless=(True,)),
            *TEXT_ONLY,
            OneOf("reasoning_effort", ("none", "high"), "knows only `none` and `high`"),
        ),
    ),
    completions=None,
    embeddings=Embeddings(
        rules=(
            *left_out("user", why=_UNSUPPORTED),
            *refused("dimensions", why="does not shorten vectors at its compatibility endpoint"),
            *ignored("input_type", why="does not read it at its compatibility endpoint"),
        ),
        takes_ids=False,
    ),
    rerank=Rerank(path="../../v2/rerank"),
    evidence=wire("a local server that refuses what Cohere's documentation says is not supported"),
)
