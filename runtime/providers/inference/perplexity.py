"""Perplexity's Sonar models, which search the web for each answer. https://docs.perplexity.ai/api-reference

Its embeddings are not here: they are base64 of whole numbers from -128 to 127, and no other encoding can be asked for.
"""

from runtime.providers.inference._openai_compatible.spec import (
    NO_LOGIT_BIAS,
    NO_LOGPROBS,
    NO_SEED,
    NO_SPEECH,
    NO_VERBOSITY,
    ONE_LIMIT,
    Chat,
    Refused,
    left_out,
    openai_compatible,
)

SPEC = openai_compatible(
    "perplexity",
    summary="Perplexity's Sonar models, which search the web",
    base_url="https://api.perplexity.ai",
    version_path="",
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
    embeddings=None,
    evidence="wire",
    evidence_note="a local server that answers as Perplexity documents it",
)
