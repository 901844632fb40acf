"""Asks Exa: `POST /search`, with what of each page fits the query."""

from __future__ import annotations

from typing import Any, ClassVar

from runtime.http.auth import NamedHeader
from runtime.http.transport import Outgoing
from runtime.provider import ProviderContext
from runtime.providers.tool_runtime._web_search.adapter import Vendor, WebSearch
from runtime.providers.tool_runtime._web_search.asked import WebSearchArguments
from runtime.providers.tool_runtime._web_search.config import WebSearchConfig
from runtime.providers.tool_runtime._web_search.found import Members
from runtime.providers.tool_runtime._web_search.posting import posted


class ExaSearch(WebSearch):
    def __init__(self, config: WebSearchConfig, context: ProviderContext) -> None:
        auth = NamedHeader("x-api-key", context.keys, required=True)
        super().__init__(Exa(), auth, "https://api.exa.ai", config, context)


class Exa(Vendor):
    members: ClassVar = Members(results="results", snippets=("highlights", "text"))
    filters_domains: ClassVar = True

    def request(self, url: str, asked: WebSearchArguments, count: int) -> Outgoing:
        body: dict[str, Any] = {
            "query": asked.query,
            "numResults": count,
            "includeDomains": asked.allowed_domains,
            "excludeDomains": asked.blocked_domains,
            "userLocation": asked.location.country,
            "contents": {"highlights": True},
        }
        return posted(f"{url}/search", body)
