"""Brave's own index of the web. https://api-dashboard.search.brave.com/app/documentation/web-search/query (read
November 2026)
"""

from runtime.providers.tool_runtime._web_search.spec import web_search

SPEC = web_search(
    "brave-search",
    summary="Web search through Brave",
    adapter=".adapter:BraveSearch",
    key_env="BRAVE_SEARCH_API_KEY",
)
