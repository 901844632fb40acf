"""Mistral's own service. https://docs.mistral.ai/api/"""

from runtime.providers.inference._openai_compatible.rules import (
    NO_ANSWER_FIELDS,
    NO_FUNCTIONS,
    NO_LOGIT_BIAS,
    NO_LOGPROBS,
    NO_SIGNATURES,
    ONE_LIMIT,
    TEXT_ONLY,
    WITHOUT_EFFECT,
    Ignored,
    LeftOut,
    OneOf,
    Renamed,
    left_out,
)
from runtime.providers.inference._openai_compatible.spec import Chat, Embeddings, openai_compatible
from runtime.spec import wire

_EXTRA = "answers 422 (extra_forbidden) to it"

SPEC = openai_compatible(
    "mistral",
    summary="Mistral's models at their makers",
    base_url="https://api.mistral.ai/v1",
    api_key_env="MISTRAL_API_KEY",
    chat=Chat(
        rules=(
            ONE_LIMIT,
            Renamed("seed", "random_seed", "its own name"),
            *left_out(*WITHOUT_EFFECT, "stream_options", why=f"it {_EXTRA}"),
            *NO_ANSWER_FIELDS,
            NO_SIGNATURES,
            LeftOut("messages[].reasoning_content", "it does not want its thinking back"),
            Ignored("messages[].name", _EXTRA),
            OneOf("reasoning_effort", ("none", "high"), "knows only `none` and `high`"),
            NO_LOGIT_BIAS,
            *NO_LOGPROBS,
            *NO_FUNCTIONS,
            *TEXT_ONLY,
        ),
        content_parts=True,
        finish_reasons={"model_length": "length"},
        usage="always",
    ),
    completions=None,
    embeddings=Embeddings(
        rules=(Renamed("dimensions", "output_dimension", "its own name"), *left_out("user", why=f"it {_EXTRA}")),
        takes_ids=False,
    ),
    evidence=wire("a local server that refuses what Mistral's documentation says is refused"),
)
