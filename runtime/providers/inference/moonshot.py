"""Moonshot AI's Kimi models. https://platform.moonshot.ai/docs/api/chat"""

from runtime.providers.inference._openai_compatible.spec import ONE_LIMIT, Chat, openai_compatible, refused

SPEC = openai_compatible(
    "moonshot",
    summary="Kimi models at Moonshot AI",
    base_url="https://api.moonshot.ai/v1",
    api_key_env="MOONSHOT_API_KEY",
    chat=Chat(
        rules=(ONE_LIMIT, *refused("functions", why="has `tools` only")),
        tool_choices=frozenset({"none", "auto", "named"}),
    ),
    completions=None,
    embeddings=None,
    evidence="wire",
    evidence_note="a local server that refuses what Moonshot's documentation says is refused",
)
