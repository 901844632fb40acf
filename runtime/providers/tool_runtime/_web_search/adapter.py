"""The tool `web_search`, whoever searches.

A vendor is asked for what its documentation has; what it cannot do is done here where that is possible: results of
other domains are left out. A part of the user's location that a vendor does not take is said in a warning.
"""

from __future__ import annotations

from typing import ClassVar, Protocol

from runtime.apis.tool_runtime.protocol import InvokeToolRequest, ListToolsRequest, ToolInvocationResult, ToolList
from runtime.context import warn
from runtime.http.auth import Auth
from runtime.http.transport import Outgoing
from runtime.provider import ProviderContext
from runtime.providers.tool_runtime._arguments import one_tool, read
from runtime.providers.tool_runtime._remote import RemoteTool
from runtime.providers.tool_runtime._web_search.asked import MOST_RESULTS, WebSearchArguments
from runtime.providers.tool_runtime._web_search.config import WebSearchConfig
from runtime.providers.tool_runtime._web_search.found import Members, kept, written

NAME = "web_search"
_DESCRIPTION = "Search the web. Returns pages, each with its title, its address and what of it fits the query."


class Vendor(Protocol):
    """How one vendor is asked. members: of its answer. most_results: of one request. filters_domains: whether it
    leaves out other domains itself, so that no more results have to be asked for. takes: the parts of a location that
    it takes.
    """

    members: ClassVar[Members]
    most_results: ClassVar[int] = MOST_RESULTS
    filters_domains: ClassVar[bool] = False
    takes: ClassVar[frozenset[str]] = frozenset({"country"})

    def request(self, url: str, asked: WebSearchArguments, count: int) -> Outgoing:
        """count: how many results to ask for. Without the key."""
        ...


class WebSearch(RemoteTool):
    """Raises RequestError for wrong arguments, and what `HttpClient` raises."""

    def __init__(
        self, vendor: Vendor, auth: Auth, default_url: str, config: WebSearchConfig, context: ProviderContext
    ) -> None:
        super().__init__(auth, default_url, config, context)
        self._vendor = vendor
        self._usual = config.max_results

    async def list_tools(self, request: ListToolsRequest) -> ToolList:
        return one_tool(NAME, _DESCRIPTION, WebSearchArguments)

    async def invoke_tool(self, request: InvokeToolRequest) -> ToolInvocationResult:
        asked = read(WebSearchArguments, NAME, request.kwargs)
        wanted = asked.max_results or self._usual
        above = asked.is_filtered and not self._vendor.filters_domains
        count = self._vendor.most_results if above else min(wanted, self._vendor.most_results)
        self._say_what_is_not_taken(asked)
        answer = await self.http.value(self._vendor.request(self.url, asked, count))
        results = kept(self._vendor.members.read(answer, self.provider_id), asked, wanted)
        sources = [result.shown() for result in results]
        return ToolInvocationResult(content=written(results), metadata={"query": asked.query, "sources": sources})

    def _say_what_is_not_taken(self, asked: WebSearchArguments) -> None:
        given = asked.location.model_dump(exclude_none=True, exclude={"type"})
        if ignored := [name for name in given if name not in self._vendor.takes]:
            named = ", ".join(f"`user_location.{name}`" for name in ignored)
            warn(f"{named} has no effect: `{self.provider_id}` does not take it")
