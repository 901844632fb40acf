"""DeepSeek's own service. https://api-docs.deepseek.com/api/create-chat-completion"""

from runtime.providers.inference._openai_compatible.rules import (
    NO_LOGIT_BIAS,
    NO_PENALTIES,
    NO_SEED,
    ONE_ANSWER,
    ONE_LIMIT,
    TEXT_ONLY,
    Ignored,
    Refused,
)
from runtime.providers.inference._openai_compatible.spec import Chat, Completions, openai_compatible
from runtime.spec import NoEffect, wire

SPEC = openai_compatible(
    "deepseek",
    summary="DeepSeek's models at their makers",
    base_url="https://api.deepseek.com/v1",
    api_key_env="DEEPSEEK_API_KEY",
    older={"anthropic_base_url": NoEffect("requests go to the endpoint in OpenAI's form, `base_url`")},  # 1.5
    chat=Chat(
        rules=(
            ONE_ANSWER,
            ONE_LIMIT,
            NO_SEED,
            NO_LOGIT_BIAS,
            *NO_PENALTIES,
            Ignored("parallel_tool_calls", "calls as many tools as it likes", unless=(True,)),
            *TEXT_ONLY,
        ),
        formats=frozenset({"text", "json_object"}),
    ),
    completions=Completions(
        path="../beta/completions",
        rules=(
            ONE_ANSWER,
            Refused("best_of", "gives one answer to a request", unless=(1,)),
            NO_SEED,
            NO_LOGIT_BIAS,
            *NO_PENALTIES,
        ),
        takes_ids=False,
        takes_several=False,
    ),
    embeddings=None,
    evidence=wire("a local server that answers as DeepSeek documents it"),
)
