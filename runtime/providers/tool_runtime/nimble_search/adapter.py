"""Asks Nimble: `POST /v1/search`."""

from __future__ import annotations

from typing import ClassVar

from runtime.http.auth import Bearer
from runtime.http.transport import Outgoing
from runtime.provider import ProviderContext
from runtime.providers.tool_runtime._web_search.adapter import Vendor, WebSearch
from runtime.providers.tool_runtime._web_search.asked import WebSearchArguments
from runtime.providers.tool_runtime._web_search.found import Members
from runtime.providers.tool_runtime._web_search.posting import searched
from runtime.providers.tool_runtime.nimble_search.config import NimbleSearchConfig


class NimbleSearch(WebSearch):
    def __init__(self, config: NimbleSearchConfig, context: ProviderContext) -> None:
        auth = Bearer(context.keys, required=True)
        super().__init__(Nimble(config.search_depth), auth, "https://sdk.nimbleway.com/v1", config, context)


class Nimble(Vendor):
    members: ClassVar = Members(results="results", snippets=("content", "description"))
    filters_domains: ClassVar = True

    def __init__(self, search_depth: str) -> None:
        self._search_depth = search_depth

    def request(self, url: str, asked: WebSearchArguments, count: int) -> Outgoing:
        country, depth = asked.location.country, self._search_depth
        return searched(f"{url}/search", asked, count, country=country, search_depth=depth)
