"""The vector stores as tools: which there are, and searching one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from runtime.apis._paging import PageRequest
from runtime.apis.vector_stores.protocol import VectorStores
from runtime.apis.vector_stores.search import SearchVectorStoreRequest, hits_of, text_of
from runtime.errors import StackError
from runtime.invalid.in_json import wrong_in
from runtime.sse import Json, Reply

if TYPE_CHECKING:
    import mcp_types as types

LIST_STORES, SEARCH_STORE = "list_vector_stores", "search_vector_store"
_MOST_STORES = 100
_SEARCH: Json = {
    "type": "object",
    "properties": {
        "vector_store_id": {"type": "string", "description": f"The id of a store, as `{LIST_STORES}` gives it."},
        "query": {"type": "string", "description": "What to look for: a question or words."},
        "max_num_results": {"type": "integer", "minimum": 1, "maximum": 50, "default": 10},
        "filters": {
            "type": "object",
            "description": "Only files whose attributes are so, for example"
            ' {"type": "eq", "key": "year", "value": 2026}; `and` and `or` have `filters`.',
        },
    },
    "required": ["vector_store_id", "query"],
}


class Searching:
    def __init__(self, stores: VectorStores) -> None:
        self._stores = stores

    def listed(self) -> list[types.Tool]:
        """The tools as MCP lists them."""
        import mcp_types as types

        reads = types.ToolAnnotations(read_only_hint=True)
        return [
            types.Tool(
                name=LIST_STORES,
                description="Which vector stores there are: id, name, description, number of files.",
                input_schema={"type": "object", "properties": {}},
                annotations=reads,
            ),
            types.Tool(
                name=SEARCH_STORE,
                description="Search the documents of a vector store. Gives passages with their file and score.",
                input_schema=_SEARCH,
                annotations=reads,
            ),
        ]

    async def call(self, name: str, arguments: Json) -> types.CallToolResult:
        """Call one of the tools. What cannot be done is a result that says why, for the model."""
        import mcp_types as types

        try:
            found = await (self._list() if name == LIST_STORES else self._search(arguments))
        except ValidationError as error:
            wrong = wrong_in(arguments, error, SearchVectorStoreRequest)
            text = "; ".join(f"`{one.place}`: {one.words}" for one in wrong)
            return types.CallToolResult(content=[types.TextContent(text=text)], is_error=True)
        except StackError as error:
            return types.CallToolResult(content=[types.TextContent(text=error.message)], is_error=True)
        text = json.dumps(found["results" if "results" in found else "stores"], ensure_ascii=False, indent=1)
        return types.CallToolResult(content=[types.TextContent(text=text)], structured_content=found)

    async def _list(self) -> Json:
        page = _json(await self._stores.list_stores(PageRequest(limit=_MOST_STORES)))
        stores = [
            {
                "id": one["id"],
                "name": one.get("name"),
                "description": one.get("description"),
                "files": one["file_counts"]["completed"],
            }
            for one in page["data"]
        ]
        return {"stores": stores, "has_more": page["has_more"]}

    async def _search(self, arguments: Json) -> Json:
        known = {name: arguments[name] for name in _SEARCH["properties"] if arguments.get(name) is not None}
        hits = hits_of(await self._stores.search_store(SearchVectorStoreRequest.model_validate(known)))
        results = [
            {
                "file_id": hit["file_id"],
                "filename": hit["filename"],
                "score": hit["score"],
                "text": text_of(hit),
            }
            for hit in hits
        ]
        return {"results": results}


def _json(answer: Any) -> Json:
    found: Json = answer.value() if isinstance(answer, Reply) else answer.model_dump(mode="json")
    return found
