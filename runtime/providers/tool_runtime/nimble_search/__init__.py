"""Nimble: search and the pages behind it. https://docs.nimbleway.com/nimble-sdk/web-tools/search (read
November 2026)
"""

from runtime.providers.tool_runtime._web_search.spec import web_search

SPEC = web_search(
    "nimble-search",
    summary="Web search through Nimble",
    adapter=".adapter:NimbleSearch",
    config=".config:NimbleSearchConfig",
    key_env="NIMBLE_API_KEY",
)
