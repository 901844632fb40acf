"""Asks Serply: `GET /v1/search`. Domains are words of the query, as Google has them."""

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


class SerplySearch(WebSearch):
    def __init__(self, config: WebSearchConfig, context: ProviderContext) -> None:
        auth = NamedHeader("x-api-key", context.keys, required=True)
        super().__init__(Serply(), auth, "https://api.serply.io/v1", config, context)


class Serply(Vendor):
    members: ClassVar = Members(results="results", snippets=("description",), url="link")

    def request(self, url: str, asked: WebSearchArguments, count: int) -> Outgoing:
        query: dict[str, Any] = {"q": asked.with_sites(), "num": count}
        if country := asked.location.country:
            query["gl"] = country.lower()
        return Outgoing(method="GET", url=f"{url}/search?{urlencode(query)}", headers={"accept": "application/json"})
