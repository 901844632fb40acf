"""Mistral's own service. https://docs.mistral.ai/api/"""

from runtime.providers.inference._openai_compatible.spec import (
    WITHOUT_EFFECT,
    Chat,
    Embeddings,
    Renamed,
    ignored,
    left_out,
    openai_compatible,
    refused,
)

_EXTRA = "answers 422 (extra_forbidden) to it"

SPEC = openai_compatible(
    "mistral",
    summary="Mistral's models at their makers",
    base_url="https://api.mistral.ai/v1",
    api_key_env="MISTRAL_API_KEY",
    chat=Chat(
        rules=(
            Renamed("max_completion_tokens", "max_tokens", "it has one name for the limit"),
            Renamed("seed", "random_seed", "its own name"),
            *left_out(*WITHOUT_EFFECT, "stream_options", why=f"it {_EXTRA}"),
            *left_out("messages[].reasoning_content", why="it does not want its thinking back"),
            *ignored("messages[].name", "logit_bias", "verbosity", why=_EXTRA),
            *refused("logprobs", "top_logprobs", why="gives no log-probabilities"),
        ),
        content_parts=True,
        usage="always",
    ),
    completions=None,
    embeddings=Embeddings(
        rules=(Renamed("dimensions", "output_dimension", "its own name"), *left_out("user", why=f"it {_EXTRA}")),
        takes_ids=False,
    ),
    evidence="wire",
    evidence_note="a local server that refuses what Mistral's documentation says is refused",
)
