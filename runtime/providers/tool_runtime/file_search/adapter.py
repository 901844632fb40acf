"""The tool `knowledge_search`: what vector stores have to say to a question, written down for a model.

Which stores: those that the call names, else those that the group was registered with, in its `args`.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AliasChoices, Field, StringConstraints, ValidationError

from runtime.apis._names import NamedResource
from runtime.apis.tool_runtime.protocol import (
    ContentPart,
    InvokeToolRequest,
    ListToolsRequest,
    ToolInvocationResult,
    ToolList,
)
from runtime.apis.vector_stores.older import MAX_SEARCHED_STORES, QueryDocumentsRequest, RagQueryConfig
from runtime.apis.vector_stores.protocol import VectorStores
from runtime.errors import RequestError
from runtime.invalid.describing import written
from runtime.invalid.in_json import wrong_in
from runtime.provider import ProviderContext
from runtime.providers.tool_runtime._arguments import Arguments, one_tool, read

NAME = "knowledge_search"
_DESCRIPTION = "Search the user's documents for passages that help to answer a question."
_STORES = "vector_store_ids"
_OLDER_STORES = ("vector_db_ids",)
_QUERY_CONFIG = "query_config"


class _Search(Arguments):
    query: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=32_768)] = Field(
        description="What to look for: a question or words."
    )


class _Call(_Search):
    """With what no model chooses: whoever calls the tool for one does, or the group's `args`."""

    vector_store_ids: Annotated[list[NamedResource], Field(min_length=1, max_length=MAX_SEARCHED_STORES)] | None = (
        Field(None, validation_alias=AliasChoices(_STORES, *_OLDER_STORES), description="The stores to search.")
    )
    query_config: dict[str, Any] | None = Field(None, description="As for `/v1/tool-runtime/rag-tool/query`.")


class FileSearch:
    """Raises RequestError for wrong arguments, and what searching stores raises."""

    def __init__(self, config: object, context: ProviderContext) -> None:
        self._stores = context.api(VectorStores)  # type: ignore[type-abstract]

    async def list_tools(self, request: ListToolsRequest) -> ToolList:
        return one_tool(NAME, _DESCRIPTION, _Search)

    async def invoke_tool(self, request: InvokeToolRequest) -> ToolInvocationResult:
        call = read(_Call, NAME, _usual(request) | request.kwargs)
        if not call.vector_store_ids:
            raise RequestError(
                f"`{NAME}` is not told which vector stores to search",
                hint=f"give `{_STORES}` in `kwargs`, or register its tool group with `args: {{{_STORES}: [...]}}`",
                param="kwargs",
            )
        asked = QueryDocumentsRequest(
            content=call.query, vector_db_ids=call.vector_store_ids, query_config=_query_config(call.query_config)
        )
        found = await self._stores.query_documents(asked)
        parts = [ContentPart(type="text", text=getattr(part, "text", None)) for part in found.content or ()]
        return ToolInvocationResult(
            content=parts or "Nothing was found.", metadata=found.metadata | {_STORES: found.metadata["vector_db_ids"]}
        )


def _usual(request: InvokeToolRequest) -> dict[str, Any]:
    """What its group was registered with, unless the call has the same under either name."""
    group = request.resource.facts.get("args") if request.resource is not None else None
    given = {name: value for name, value in (group or {}).items() if name in (_STORES, *_OLDER_STORES, _QUERY_CONFIG)}
    if any(name in request.kwargs for name in (_STORES, *_OLDER_STORES)):
        given = {name: value for name, value in given.items() if name == _QUERY_CONFIG}
    return given


def _query_config(given: dict[str, Any] | None) -> RagQueryConfig | None:
    if given is None:
        return None
    try:
        return RagQueryConfig.model_validate(given)
    except ValidationError as error:
        wrong = wrong_in(given, error, RagQueryConfig)[0]
        place = written(("kwargs", _QUERY_CONFIG, *wrong.steps))
        raise RequestError(f"`{place}`: {wrong.words}", param="kwargs") from None
