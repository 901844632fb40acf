"""Tavily: search for models. https://docs.tavily.com/documentation/api-reference/endpoint/search (read
November 2026)
"""

from runtime.providers.tool_runtime._web_search.spec import web_search

SPEC = web_search(
    "tavily-search",
    summary="Web search through Tavily",
    adapter=".adapter:TavilySearch",
    key_env="TAVILY_SEARCH_API_KEY",
)
