"""Gemini CLI: https://github.com/google-gemini/gemini-cli/blob/main/docs/get-started/configuration.md

It speaks Google's generateContent API.
"""

from llama_cli.clients._client import Client

CLIENT = Client(
    summary="Google's agent in a terminal",
    page="https://github.com/google-gemini/gemini-cli",
    speaks="generate-content",
    variables=lambda server: {
        "GOOGLE_GEMINI_BASE_URL": server.url,
        "GEMINI_API_KEY": server.key,
        "GEMINI_MODEL": server.model,
    },
    then=lambda server: "gemini",
)
