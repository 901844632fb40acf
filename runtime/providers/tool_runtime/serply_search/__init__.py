"""Serply: Google's results. https://serply.io/docs (read November 2026)"""

from runtime.providers.tool_runtime._web_search.spec import web_search

SPEC = web_search(
    "serply-search",
    summary="Google's results through Serply",
    adapter=".adapter:SerplySearch",
    key_env="SERPLY_API_KEY",
)
