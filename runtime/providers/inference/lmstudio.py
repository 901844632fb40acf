"""LM Studio's local server. https://lmstudio.ai/docs/developer/openai-compat"""

from runtime.providers.inference._openai_compatible.rules import NO_FUNCTIONS, ONE_LIMIT, TEXT_ONLY
from runtime.providers.inference._openai_compatible.spec import Chat, openai_compatible
from runtime.spec import wire

SPEC = openai_compatible(
    "lmstudio",
    summary="LM Studio on this machine or in your network",
    base_url="http://localhost:1234/v1",
    base_url_env="LMSTUDIO_URL",
    api_key_env="LM_STUDIO_API_KEY",
    enabled_by="LMSTUDIO_URL",
    key_required=False,
    chat=Chat(
        rules=(ONE_LIMIT, *NO_FUNCTIONS, *TEXT_ONLY),
        tool_choices=frozenset({"none", "auto", "required"}),
        formats=frozenset({"text", "json_schema"}),
    ),
    evidence=wire("LM Studio is a desktop application; a local server answers as documented"),
)
