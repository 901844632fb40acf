"""Z.ai's GLM models. https://docs.z.ai/api-reference/llm/chat-completion"""

from runtime.providers.inference._openai_compatible.rules import (
    NO_FUNCTIONS,
    NO_PENALTIES,
    ONE_LIMIT,
    TEXT_ONLY,
    Ignored,
)
from runtime.providers.inference._openai_compatible.spec import Chat, openai_compatible
from runtime.spec import wire

SPEC = openai_compatible(
    "zai",
    summary="GLM models at Z.ai",
    base_url="https://api.z.ai/api/paas/v4",
    api_key_env="ZAI_API_KEY",
    lists_models=False,
    chat=Chat(
        rules=(
            ONE_LIMIT,
            *NO_PENALTIES,
            *NO_FUNCTIONS,
            *TEXT_ONLY,
            Ignored("messages[].name", "has no names of speakers"),
            Ignored("tools[].function.strict", "does not keep to a tool's schema", unless=(False,)),
        ),
        tool_choices=frozenset({"auto"}),
        formats=frozenset({"text", "json_object"}),
    ),
    completions=None,
    embeddings=None,
    evidence=wire("a local server that refuses what Z.ai's documentation does not have"),
)
