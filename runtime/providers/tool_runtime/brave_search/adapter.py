"""Asks Brave: `GET /res/v1/web/search`. Domains are words of the query, the location is in headers."""

from __future__ import annotations

import unicodedata
from typing import ClassVar
from urllib.parse import urlencode

from runtime.http.auth import NamedHeader
from runtime.http.transport import Outgoing
from runtime.provider import ProviderContext
from runtime.providers.tool_runtime._web_search.adapter import Vendor, WebSearch
from runtime.providers.tool_runtime._web_search.asked import WebSearchArguments
from runtime.providers.tool_runtime._web_search.config import WebSearchConfig
from runtime.providers.tool_runtime._web_search.found import Members

_URL = "https://api.search.brave.com/res/v1"
_HEADERS = {
    "country": "x-loc-country",
    "region": "x-loc-state-name",
    "city": "x-loc-city",
    "timezone": "x-loc-timezone",
}


class BraveSearch(WebSearch):
    def __init__(self, config: WebSearchConfig, context: ProviderContext) -> None:
        auth = NamedHeader("x-subscription-token", context.keys, required=True)
        super().__init__(Brave(), auth, _URL, config, context)


class Brave(Vendor):
    members: ClassVar = Members(results="web.results", snippets=("description",))
    most_results: ClassVar = 20
    takes: ClassVar = frozenset(_HEADERS)

    def request(self, url: str, asked: WebSearchArguments, count: int) -> Outgoing:
        query = {"q": asked.with_sites(), "count": count, "result_filter": "web", "text_decorations": "false"}
        given = asked.location.model_dump(exclude_none=True, include=set(_HEADERS))
        headers = {_HEADERS[name]: _ascii(value) for name, value in given.items()}
        return Outgoing(
            method="GET",
            url=f"{url}/web/search?{urlencode(query)}",
            headers={"accept": "application/json", **{name: value for name, value in headers.items() if value}},
        )


def _ascii(text: str) -> str:
    """For a header: `München` as `Munchen`."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().strip()
