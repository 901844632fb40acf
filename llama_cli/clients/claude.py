"""Claude Code: https://code.claude.com/docs/en/llm-gateway

It speaks Anthropic's Messages API.
"""

from llama_cli.clients._client import Client

CLIENT = Client(
    summary="Anthropic's coding agent in a terminal",
    page="https://code.claude.com/docs/en/llm-gateway",
    speaks="messages",
    variables=lambda server: {
        "ANTHROPIC_BASE_URL": server.url,
        "ANTHROPIC_AUTH_TOKEN": server.key,
        "ANTHROPIC_MODEL": server.model,
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": server.model,  # which it asks for titles and the like
    },
    then=lambda server: "claude",
)
