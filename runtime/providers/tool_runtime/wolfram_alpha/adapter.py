"""The tool `wolfram_alpha`: asks the Full Results API, `GET /v2/query`, and writes its pods down for a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any
from urllib.parse import urlencode

from pydantic import Field, StringConstraints

from runtime.apis.tool_runtime.protocol import InvokeToolRequest, ListToolsRequest, ToolInvocationResult, ToolList
from runtime.errors import UpstreamError
from runtime.http.auth import QueryKey
from runtime.http.transport import Outgoing
from runtime.provider import ProviderContext
from runtime.providers.tool_runtime._arguments import Arguments, one_tool, read
from runtime.providers.tool_runtime._remote import RemoteTool
from runtime.providers.tool_runtime._remote_config import RemoteToolConfig

NAME = "wolfram_alpha"
_DESCRIPTION = "Compute something or look up a fact: mathematics, units, dates, science, places."
_LONGEST = 20_000
_NO_ANSWER = "Wolfram Alpha has no answer to this."


class _Question(Arguments):
    query: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)] = Field(
        description="What to compute or look up, in simple English or as a formula, such as `integrate x^2`."
    )


class WolframAlpha(RemoteTool):
    """Raises RequestError for wrong arguments, and what `HttpClient` raises."""

    def __init__(self, config: RemoteToolConfig, context: ProviderContext) -> None:
        super().__init__(
            QueryKey("appid", context.keys, required=True), "https://api.wolframalpha.com/v2", config, context
        )

    async def list_tools(self, request: ListToolsRequest) -> ToolList:
        return one_tool(NAME, _DESCRIPTION, _Question)

    async def invoke_tool(self, request: InvokeToolRequest) -> ToolInvocationResult:
        """Raises UpstreamError for what is no answer, too."""
        query = read(_Question, NAME, request.kwargs).query
        asked = urlencode({"input": query, "format": "plaintext", "output": "json"})
        answer = await self.http.value(Outgoing(method="GET", url=f"{self.url}/query?{asked}"))
        result = answer.get("queryresult") if isinstance(answer, dict) else None
        if not isinstance(result, dict):
            raise UpstreamError(f"`{self.provider_id}` answered without a `queryresult`", provider_id=self.provider_id)
        if error := result.get("error"):
            words = error.get("msg") if isinstance(error, dict) else None
            raise UpstreamError(
                f"`{self.provider_id}` failed: {words or 'it does not say why'}", provider_id=self.provider_id
            )
        text = "\n\n".join(_pods(result)) or _told_instead(result)
        return ToolInvocationResult(content=text[:_LONGEST], metadata={"query": query})


def _pods(result: Mapping[str, Any]) -> Iterator[str]:
    """Each part of the answer under its title."""
    for pod in _objects(result.get("pods")):
        texts = [text for one in _objects(pod.get("subpods")) if (text := _text(one.get("plaintext")))]
        if texts:
            yield "\n".join([f"{_text(pod.get('title')) or 'Result'}:", *texts])


def _told_instead(result: Mapping[str, Any]) -> str:
    """What it would understand, if it says that."""
    meant = result.get("didyoumeans")
    likely = [
        text for one in _objects(meant if isinstance(meant, list) else [meant]) if (text := _text(one.get("val")))
    ]
    return f"{_NO_ANSWER} It would understand: {'; '.join(likely[:5])}" if likely else _NO_ANSWER


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    for one in value if isinstance(value, list) else ():
        if isinstance(one, dict):
            yield one


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""
