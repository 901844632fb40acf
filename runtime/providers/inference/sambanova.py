"""SambaNova's cloud. https://docs.sambanova.ai/docs/en/features/openai-compatibility"""

from runtime.providers.inference._openai_compatible.rules import (
    NO_LOGIT_BIAS,
    NO_LOGPROBS,
    NO_PENALTIES,
    NO_SEED,
    ONE_ANSWER,
    REASONING_BACK,
    TEXT_ONLY,
    LeftOut,
    Refused,
    refused,
)
from runtime.providers.inference._openai_compatible.spec import Chat, Completions, Embeddings, openai_compatible
from runtime.spec import wire

SPEC = openai_compatible(
    "sambanova",
    summary="Open-weight models on SambaNova's processors",
    base_url="https://api.sambanova.ai/v1",
    api_key_env="SAMBANOVA_API_KEY",
    aliases=("remote::sambanova-openai-compat",),
    chat=Chat(
        rules=(
            ONE_ANSWER,
            *NO_LOGPROBS,
            NO_SEED,
            NO_LOGIT_BIAS,
            *NO_PENALTIES,
            Refused("messages[].content[].input_audio", "takes audio only in a form of its own, `audio_content`"),
            REASONING_BACK,
            *TEXT_ONLY,
        ),
        formats=frozenset({"json_object", "json_schema"}),
        remote_images=False,
        reasoning_field="reasoning",
    ),
    completions=Completions(
        rules=(
            ONE_ANSWER,
            Refused("best_of", "gives one answer", unless=(1,)),
            *refused("logprobs", why="gives no log-probabilities"),
            NO_SEED,
            NO_LOGIT_BIAS,
            *NO_PENALTIES,
        ),
    ),
    embeddings=Embeddings(rules=(LeftOut("encoding_format", "it sends numbers only, and we convert them"),)),
    evidence=wire("a local server that refuses what SambaNova's documentation says is refused"),
)
