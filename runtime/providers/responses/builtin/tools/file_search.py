"""`file_search`: the model says what it wants to know, and reads what vector stores have of it.

Each hit is shown with a mark, which the model repeats behind what it takes from there; `citations.py` makes annotations
of these.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import msgspec

from runtime.apis.inference.calls import Call
from runtime.apis.responses.tools.file_search import KIND, RESULTS, FileSearchTool
from runtime.apis.vector_stores.protocol import VectorStores
from runtime.apis.vector_stores.search import (
    LONGEST_QUERY,
    MAX_QUERIES,
    SearchVectorStoreRequest,
    hits_of,
    text_of,
)
from runtime.apis.vector_stores.store import VectorStoreRequest
from runtime.errors import NotFound, NotSupported, StackError
from runtime.providers.responses.builtin.answering import Answering
from runtime.providers.responses.builtin.arguments import reader
from runtime.providers.responses.builtin.citations import Citations, FileSource
from runtime.providers.responses.builtin.offering import Asked, Corrects, Function, Offer, ToolHandler
from runtime.sse import Json
from runtime.telemetry.tool_calls import note_failure

NAME = KIND.name
_MOST_HITS = 10
_HOW_TO_CITE = (
    "Answer from these passages. Behind each statement that is taken from one, write the mark that the passage has,"
    " such as {mark}."
)
_NOTHING = "Nothing was found."
_DEFINITION: Json = {
    "description": "Search the user's files for passages that help to answer.",
    "parameters": {
        "type": "object",
        "properties": {
            "queries": {
                "type": "array",
                "items": {"type": "string"},
                "minItems": 1,
                "description": "What to look for: questions or words, each for itself.",
            }
        },
        "required": ["queries"],
    },
}


class _Arguments(msgspec.Struct):
    queries: list[str] | str = msgspec.field(default_factory=list)
    query: str = ""


_read_arguments = reader(_Arguments)


async def offer(given: FileSearchTool, where: str, asked: Asked) -> Offer:
    """See `Offering`. Raises NotSupported where there are no vector stores, and NotFound for one that is not there: a
    model that may search does not have to, and would answer from nothing.
    """
    if (stores := asked.apis.vector_stores) is None:
        raise NotSupported(f"`{where}` is `{NAME}`, and no vector stores are here", param="tools")
    ids = given["vector_store_ids"]
    await asyncio.gather(*(_check(stores, id, f"{where}.vector_store_ids[{place}]") for place, id in enumerate(ids)))
    search = FileSearch(given, stores, shows_results=asked.request.includes(RESULTS))
    return Offer(functions=[Function(kind=NAME, name=NAME, definition=_DEFINITION, tool=search)])


async def _check(stores: VectorStores, store_id: str, param: str) -> None:
    try:
        await stores.get_store(VectorStoreRequest(vector_store_id=store_id))
    except NotFound as error:
        raise NotFound(error.message, hint=error.hint, param=param, code=error.code) from None


class FileSearch(Corrects):
    """given: the tool as the request has it. shows_results: whether the item has what was found."""

    to_give_less = "ask for less by `max_num_results` of `file_search`"
    type = "datastore"

    def __init__(self, given: FileSearchTool, stores: VectorStores, *, shows_results: bool) -> None:
        self._given = given
        self._stores = stores
        self._shows_results = shows_results

    async def run(self, call: Call, answering: Answering) -> AsyncGenerator[str, None]:
        """See `Tool.run`. Arguments that make no sense are said to the model once; then the item has failed."""
        queries, wrong = _queries(call.arguments)
        if said := self.said(wrong, call, such_as="{'queries': ['what to look for']}"):
            yield said
            return
        item = answering.new_item("file_search_call", status="in_progress", queries=queries, results=None)
        place = answering.add(item)
        where = {"item_id": item["id"], "output_index": place}
        answering.event("response.file_search_call.in_progress", where)
        if wrong:
            answering.done(place, "failed")
            yield wrong
            return
        item["status"] = "searching"
        answering.event("response.file_search_call.searching", where)
        yield ""
        try:
            hits = await self._search(queries)
        except StackError as error:
            note_failure(error)
            answering.done(place, "failed")
            yield f"The search failed: {error.message}"
            return
        if self._shows_results:
            item["results"] = [_result(hit) for hit in hits]
        answering.event("response.file_search_call.completed", where)
        answering.done(place, "completed")
        yield _told(hits, answering.citations)

    async def _search(self, queries: Sequence[str]) -> list[Json]:
        """The best hits in all stores. Raises what searching one raises."""
        most = self._given.get("max_num_results") or _MOST_HITS
        options = {name: self._given[name] for name in ("filters", "ranking_options") if self._given.get(name)}
        found: list[Json] = []
        for store_id in self._given["vector_store_ids"]:
            asked = SearchVectorStoreRequest(
                vector_store_id=store_id, query=[*queries], max_num_results=most, **options
            )
            found += hits_of(await self._stores.search_store(asked))
        found.sort(key=lambda hit: -hit["score"])
        return found[:most]


def _told(hits: Sequence[Json], citations: Citations) -> str:
    """What the model reads."""
    if not hits:
        return _NOTHING
    marks = [citations.mark(_source(hit)) for hit in hits]
    passages = [f"{mark} {hit['filename']}\n{text_of(hit)}" for mark, hit in zip(marks, hits, strict=True)]
    return "\n\n".join([_HOW_TO_CITE.format(mark=marks[0]), *passages])


def _queries(arguments: str) -> tuple[list[str], str]:
    """What to look for, and what is wrong with the arguments if something is."""
    try:
        given = _read_arguments(arguments)
    except msgspec.DecodeError as error:
        return [], f"The arguments cannot be read: {error}"
    several = given.queries if isinstance(given.queries, list) else [given.queries]
    queries = [query[:LONGEST_QUERY] for query in (*several, given.query) if query.strip()]
    return queries[:MAX_QUERIES], "" if queries else "The arguments name no `queries`"


def _source(hit: Json) -> FileSource:
    metadata: dict[str, Any] = next((part.get("metadata") or {} for part in hit["content"]), {})
    return FileSource(file_id=hit["file_id"], filename=hit["filename"], page=metadata.get("page_number"))


def _result(hit: Json) -> Json:
    return {
        "file_id": hit["file_id"],
        "filename": hit["filename"],
        "score": hit["score"],
        "attributes": hit.get("attributes") or {},
        "text": text_of(hit),
    }


TOOL = ToolHandler(kind=KIND, offer=offer, in_place_of_two="name all stores in the `vector_store_ids` of one")
