"""Searches of vector stores in a response: the tool, the choice of it, the item that it makes, and that item's events.

https://platform.openai.com/docs/guides/tools-file-search.

    file_search_call.in_progress, .searching, .completed
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Required

from pydantic import Field
from typing_extensions import TypedDict

from runtime.apis._names import ResourceId
from runtime.apis._request import AT_ONCE
from runtime.apis.inference._shared import OPEN
from runtime.apis.responses.event_fields import OfItem
from runtime.apis.responses.item_fields import ID
from runtime.apis.responses.tool_kind import ItemKind, ToolKind
from runtime.apis.vector_stores.filters import Filters
from runtime.apis.vector_stores.search import RankingOptions

RESULTS = "file_search_call.results"


class FileSearchTool(TypedDict, total=False):
    """Searches vector stores for what the model wants to know."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["file_search"]]
    vector_store_ids: Required[
        Annotated[
            list[Annotated[ResourceId, Field(min_length=1)]],
            Field(min_length=1, max_length=32, description="The ids of the stores to search."),
        ]
    ]
    max_num_results: Annotated[int | None, Field(ge=1, le=50, description="The most hits. The default is 10.")]
    filters: Annotated[
        Filters | None, Field(description="Only files whose attributes are so. By default, all of them.")
    ]
    ranking_options: Annotated[
        RankingOptions | None, Field(description="How hits are put in order. By default, as the provider has it.")
    ]


class FileSearchChoice(TypedDict, total=False):
    """The model must search files."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["file_search"]]


class FileSearchCall(TypedDict, total=False):
    """A search of vector stores that the model asked for and the server made. As input, it says nothing to the model:
    what was found is in the answer that followed.
    """

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["file_search_call"]]
    queries: Annotated[list[str], AT_ONCE, Field(description="What was looked for.")]
    results: Annotated[
        Annotated[list[dict[str, Any]], AT_ONCE] | None, Field(description="What was found, if asked for by `include`.")
    ]
    id: Annotated[str | None, ID]
    status: Annotated[str | None, Field(description="`in_progress`, `searching`, `completed`, `incomplete`, `failed`.")]


class FileSearchCallInProgress(OfItem):
    """A search of vector stores is begun."""

    type: Literal["response.file_search_call.in_progress"] = "response.file_search_call.in_progress"


class FileSearchCallSearching(OfItem):
    """Vector stores are being searched."""

    type: Literal["response.file_search_call.searching"] = "response.file_search_call.searching"


class FileSearchCallCompleted(OfItem):
    """A search of vector stores is complete."""

    type: Literal["response.file_search_call.completed"] = "response.file_search_call.completed"


KIND = ToolKind(
    tool=FileSearchTool,
    choice=FileSearchChoice,
    items=(ItemKind(shape=FileSearchCall, prefix="fs_"),),
    events=(FileSearchCallInProgress, FileSearchCallSearching, FileSearchCallCompleted),
    includes=(RESULTS,),
)
