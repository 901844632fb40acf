"""Asks Bing: `GET /v7.0/search`. Domains are words of the query."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import urlencode

from runtime.http.auth import NamedHeader
from runtime.http.transport import Outgoing
from runtime.provider import ProviderContext
from runtime.providers.tool_runtime._web_search.adapter import Vendor, WebSearch
from runtime.providers.tool_runtime._web_search.asked import WebSearchArguments
from runtime.providers.tool_runtime._web_search.config import WebSearchConfig
from runtime.providers.tool_runtime._web_search.found import Members

_URL = "https://api.bing.microsoft.com/v7.0"


class BingSearch(WebSearch):
    def __init__(self, config: WebSearchConfig, context: ProviderContext) -> None:
        auth = NamedHeader("ocp-apim-subscription-key", context.keys, required=True)
        super().__init__(Bing(), auth, _URL, config, context)


class Bing(Vendor):
    members: ClassVar = Members(results="webPages.value", snippets=("snippet",), title="name")

    def request(self, url: str, asked: WebSearchArguments, count: int) -> Outgoing:
        query: dict[str, Any] = {
            "q": asked.with_sites(),
            "count": count,
            "responseFilter": "Webpages",
            "textFormat": "Raw",
        }
        headers = {}
        if country := asked.location.country:
            query["cc"] = country
            headers["accept-language"] = "en"  # a country must come with a language
        return Outgoing(method="GET", url=f"{url}/search?{urlencode(query)}", headers=headers)
