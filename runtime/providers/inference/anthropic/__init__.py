"""Anthropic's models through its endpoint for OpenAI's clients, which does not return what a model thinks.
https://docs.claude.com/en/api/openai-sdk
"""

from runtime.providers.inference._openai_compatible.rules import (
    NO_LOGIT_BIAS,
    NO_LOGPROBS,
    NO_PENALTIES,
    NO_SEED,
    ONE_ANSWER,
    TEXT_ONLY,
    Capped,
    Ignored,
    LeftOut,
    Refused,
)
from runtime.providers.inference._openai_compatible.spec import Chat, openai_compatible
from runtime.spec import wire

SPEC = openai_compatible(
    "anthropic",
    summary="Anthropic's Claude models",
    adapter=".adapter:AnthropicInference",
    base_url="https://api.anthropic.com/v1",
    api_key_env="ANTHROPIC_API_KEY",
    headers={"anthropic-version": "2023-06-01"},
    models_path="/models?limit=1000",
    chat=Chat(
        # It accepts all of these, and ignores them without a word.
        rules=(
            ONE_ANSWER,
            *NO_LOGPROBS,
            NO_SEED,
            NO_LOGIT_BIAS,
            *NO_PENALTIES,
            Capped("temperature", 1, "has no higher one"),
            Ignored("reasoning_effort", "has settings of its own for thinking (`thinking`)"),
            Ignored("tools[].function.strict", "does not promise arguments by their schema", unless=(False,)),
            Refused("messages[].content[].input_audio", "does not listen"),
            LeftOut("prediction", "it is not quicker with one"),
            Refused("response_format", "writes text of any form only", unless=({"type": "text"},)),
            Ignored("messages[].name", "has no names of speakers"),
            *TEXT_ONLY,
        ),
        formats=frozenset({"text"}),
        developers=True,
    ),
    completions=None,
    embeddings=None,
    evidence=wire("a local server that answers as Anthropic documents its endpoint for OpenAI's clients"),
)
