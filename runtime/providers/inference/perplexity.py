"""Perplexity's Sonar models, which search the web for each answer, and its embeddings, whose vectors are whole numbers
from -128 to 127. https://docs.perplexity.ai/api-reference
"""

from runtime.providers.inference._openai_compatible.rules import (
    NO_LOGIT_BIAS,
    NO_LOGPROBS,
    NO_SEED,
    NO_SPEECH,
    NO_VERBOSITY,
    ONE_LIMIT,
    Refused,
    left_out,
)
from runtime.providers.inference._openai_compatible.spec import Chat, Embeddings, openai_compatible
from runtime.spec import wire

SPEC = openai_compatible(
    "perplexity",
    summary="Perplexity's Sonar models, which search the web, and embeddings",
    base_url="https://api.perplexity.ai",
    api_key_env="PERPLEXITY_API_KEY",
    lists_models=False,
    chat=Chat(
        rules=(
            ONE_LIMIT,
            Refused("stop", "does not end at a text that one gives it"),
            *NO_LOGPROBS,
            NO_SEED,
            NO_LOGIT_BIAS,
            *NO_SPEECH,
            NO_VERBOSITY,
            *left_out("service_tier", "parallel_tool_calls", why="it does not know it"),
        ),
        tools=False,
        formats=frozenset({"text", "json_schema"}),
    ),
    completions=None,
    embeddings=Embeddings(
        path="/v1/embeddings",
        rules=left_out("encoding_format", "user", why="it has encodings of its own, and we convert vectors"),
        takes_ids=False,
        packed="int8",
    ),
    evidence=wire("a local server that answers as Perplexity documents it"),
)
