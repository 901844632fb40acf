"""Groq's cloud. https://console.groq.com/docs/openai"""

from runtime.providers.inference._openai_compatible.rules import (
    NO_LOGIT_BIAS,
    NO_LOGPROBS,
    NO_PENALTIES,
    NO_SIGNATURES,
    ONE_ANSWER,
    REASONING_BACK,
    TEXT_ONLY,
    Ignored,
    left_out,
)
from runtime.providers.inference._openai_compatible.spec import Chat, openai_compatible
from runtime.spec import wire

SPEC = openai_compatible(
    "groq",
    summary="Open-weight models on Groq's processors",
    base_url="https://api.groq.com/openai/v1",
    api_key_env="GROQ_API_KEY",
    aliases=("remote::groq-openai-compat",),
    chat=Chat(
        rules=(
            ONE_ANSWER,
            *NO_LOGPROBS,
            NO_LOGIT_BIAS,
            *NO_PENALTIES,
            NO_SIGNATURES,
            Ignored("messages[].name", "answers 400 to it"),
            *left_out("store", "metadata", why="it keeps no answers"),
            REASONING_BACK,
            *TEXT_ONLY,
        ),
        whole_formats=frozenset({"json_object", "json_schema"}),
        reasoning_field="reasoning",
    ),
    completions=None,
    embeddings=None,
    evidence=wire("a local server that refuses what Groq's documentation says is refused"),
)
