"""Exa: search by meaning, for models. https://docs.exa.ai/reference/search (read November 2026)"""

from runtime.providers.tool_runtime._web_search.spec import web_search

SPEC = web_search("exa-search", summary="Web search through Exa", adapter=".adapter:ExaSearch", key_env="EXA_API_KEY")
