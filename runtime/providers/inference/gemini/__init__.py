"""Google's Gemini models through its endpoint for OpenAI's clients. https://ai.google.dev/gemini-api/docs/openai"""

from runtime.providers.inference._openai_compatible.rules import (
    NO_ANSWER_FIELDS,
    NO_FUNCTIONS,
    NO_PENALTIES,
    NO_SEED,
    NO_VERBOSITY,
    WITHOUT_EFFECT,
    LeftOut,
    left_out,
)
from runtime.providers.inference._openai_compatible.spec import Chat, Embeddings, openai_compatible
from runtime.spec import wire

_UNKNOWN = "it answers 400 (unknown name) to it"

SPEC = openai_compatible(
    "gemini",
    summary="Google's Gemini models",
    adapter=".adapter:GeminiInference",
    config=".config:GeminiConfig",
    base_url="https://generativelanguage.googleapis.com/v1beta/openai",
    api_key_env="GEMINI_API_KEY",
    more_env={"access_token": "GEMINI_ACCESS_TOKEN", "project": "GEMINI_AI_PROJECT"},
    model_prefix="models/",
    chat=Chat(
        rules=(
            NO_SEED,
            *NO_PENALTIES,
            NO_VERBOSITY,
            *NO_FUNCTIONS,
            *NO_ANSWER_FIELDS,
            *left_out(*WITHOUT_EFFECT, why=_UNKNOWN),
            LeftOut("messages[].reasoning_content", "it wants only its signature back (`extra_content`)"),
        ),
    ),
    completions=None,
    embeddings=Embeddings(rules=left_out("user", why=_UNKNOWN), takes_ids=False),
    evidence=wire("a local server that refuses the names that Gemini's endpoint is known to refuse"),
)
