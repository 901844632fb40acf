"""Moonshot AI's Kimi models. https://platform.moonshot.ai/docs/api/chat"""

from runtime.providers.inference._openai_compatible.rules import NO_FUNCTIONS, ONE_LIMIT, TEXT_ONLY, OneOf
from runtime.providers.inference._openai_compatible.spec import Chat, openai_compatible
from runtime.spec import wire

_EFFORTS = ("minimal", "low", "medium", "high", "xhigh")

SPEC = openai_compatible(
    "moonshot",
    summary="Kimi models at Moonshot AI",
    base_url="https://api.moonshot.ai/v1",
    api_key_env="MOONSHOT_API_KEY",
    chat=Chat(
        rules=(
            ONE_LIMIT,
            *NO_FUNCTIONS,
            *TEXT_ONLY,
            OneOf("reasoning_effort", _EFFORTS, "is kept from thinking by a field of its own, `thinking`"),
        ),
        tool_choices=frozenset({"none", "auto", "named"}),
    ),
    completions=None,
    embeddings=None,
    evidence=wire("a local server that refuses what Moonshot's documentation says is refused"),
)
