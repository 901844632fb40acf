"""Asks Tavily: `POST /search`."""

from __future__ import annotations

from typing import ClassVar

from runtime.context import warn
from runtime.http.auth import Bearer
from runtime.http.transport import Outgoing
from runtime.provider import ProviderContext
from runtime.providers.tool_runtime._web_search.adapter import Vendor, WebSearch
from runtime.providers.tool_runtime._web_search.asked import WebSearchArguments
from runtime.providers.tool_runtime._web_search.config import WebSearchConfig
from runtime.providers.tool_runtime._web_search.found import Members
from runtime.providers.tool_runtime._web_search.posting import searched
from runtime.providers.tool_runtime.tavily_search.countries import COUNTRIES


class TavilySearch(WebSearch):
    def __init__(self, config: WebSearchConfig, context: ProviderContext) -> None:
        super().__init__(Tavily(), Bearer(context.keys, required=True), "https://api.tavily.com", config, context)


class Tavily(Vendor):
    members: ClassVar = Members(results="results", snippets=("content",))
    most_results: ClassVar = 20
    filters_domains: ClassVar = True

    def request(self, url: str, asked: WebSearchArguments, count: int) -> Outgoing:
        return searched(f"{url}/search", asked, count, country=_name(asked.location.country))


def _name(country: str | None) -> str | None:
    if country is not None and country not in COUNTRIES:
        warn(f"`user_location.country` has no effect: Tavily does not know `{country}`")
    return COUNTRIES.get(country or "")
