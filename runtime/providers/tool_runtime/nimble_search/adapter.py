"""Asks Nimble: `POST /v1/search`."""

from __future__ import annotations

from typing import Any, ClassVar

from runtime.http.auth import Bearer
from runtime.http.transport import Outgoing
from runtime.provider import ProviderContext
from runtime.providers.tool_runtime._web_search.adapter import WebSearch
from runtime.providers.tool_runtime._web_search.asked import WebSearchArguments
from runtime.providers.tool_runtime._web_search.found import Members
from runtime.providers.tool_runtime._web_search.posting import posted
from runtime.providers.tool_runtime.nimble_search.config import NimbleSearchConfig


class NimbleSearch(WebSearch):
    def __init__(self, config: NimbleSearchConfig, context: ProviderContext) -> None:
        auth = Bearer(context.keys, required=True)
        super().__init__(Nimble(config.search_depth), auth, "https://sdk.nimbleway.com/v1", config, context)


class Nimble:
    members: ClassVar = Members(results="results", snippets=("content", "description"))
    most_results: ClassVar = 50
    filters_domains: ClassVar = True
    takes: ClassVar = frozenset({"country"})

    def __init__(self, search_depth: str) -> None:
        self._search_depth = search_depth

    def request(self, url: str, asked: WebSearchArguments, count: int) -> Outgoing:
        body: dict[str, Any] = {
            "query": asked.query,
            "max_results": count,
            "search_depth": self._search_depth,
            "include_domains": asked.allowed_domains,
            "exclude_domains": asked.blocked_domains,
            "country": asked.location.country,
        }
        return posted(f"{url}/search", body)
