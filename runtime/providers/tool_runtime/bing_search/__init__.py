"""Bing's Web Search API v7. Microsoft has shut its own down in August 2025; `base_url` may name one that speaks it.
https://learn.microsoft.com/en-us/bing/search-apis/bing-web-search/reference/query-parameters (read November 2026)
"""

from runtime.providers.tool_runtime._web_search.spec import web_search

SPEC = web_search(
    "bing-search",
    summary="Web search through Bing's API v7, which Microsoft has shut down",
    adapter=".adapter:BingSearch",
    key_env="BING_SEARCH_API_KEY",
)
