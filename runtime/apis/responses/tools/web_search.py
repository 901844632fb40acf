"""Searches of the web in a response: the tool, the choice of it, the item that it makes, and that item's events.

https://platform.openai.com/docs/guides/tools-web-search.

    web_search_call.in_progress, .searching, .completed
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Required

from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from runtime.apis._request import AT_ONCE
from runtime.apis.inference._shared import OPEN
from runtime.apis.responses.event_fields import OfItem
from runtime.apis.responses.item_fields import ID
from runtime.apis.responses.tool_kind import ItemKind, ToolKind

SOURCES = "web_search_call.action.sources"
RESULTS = "web_search_call.results"


class UserLocation(TypedDict, total=False):
    """About where the user is."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Annotated[Literal["approximate"] | None, Field(description="Always `approximate`, which is the default.")]
    country: Annotated[
        str | None,
        Field(pattern="^[A-Za-z]{2}$", description="The country, as two letters (ISO 3166-1). Default: not said."),
    ]
    region: Annotated[str | None, Field(max_length=200, description="The region. Default: not said.")]
    city: Annotated[str | None, Field(max_length=200, description="The city. Default: not said.")]
    timezone: Annotated[str | None, Field(max_length=200, description="The time zone (IANA). Default: not said.")]


class WebSearchFilters(TypedDict, total=False):
    """Which pages are searched."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]
    allowed_domains: Annotated[
        list[str] | None,
        Field(max_length=100, description="Only these domains and those below them. Default: all."),
    ]
    blocked_domains: Annotated[
        list[str] | None,
        Field(
            max_length=100,
            description="None of these domains nor of those below them. Not one of OpenAI's fields. Default: none.",
        ),
    ]


class WebSearchTool(TypedDict, total=False):
    """Searches the web for what the model wants to know."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[
        Annotated[
            Literal["web_search", "web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11"],
            Field(description="`web_search`; the others mean the same."),
        ]
    ]
    filters: Annotated[WebSearchFilters | None, Field(description="Which pages are searched. By default, all.")]
    user_location: Annotated[UserLocation | None, Field(description="About where the user is. Default: not said.")]
    search_context_size: Annotated[
        Literal["low", "medium", "high"] | None,
        Field(description="How many results the model reads: 3, 5 or 10. The default is `medium`."),
    ]
    external_web_access: Annotated[
        bool | None,
        Field(description="Whether pages of now are searched. Default: true; searches here have no others."),
    ]
    search_content_types: Annotated[
        Annotated[list[Literal["text", "image"]], AT_ONCE] | None,
        Field(description="What is searched. Default: `text`; searches here find no images."),
    ]


class WebSearchChoice(TypedDict, total=False):
    """The model must search the web."""

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[
        Annotated[
            Literal["web_search", "web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11"],
            Field(description="`web_search`; the others mean the same."),
        ]
    ]


class WebSearchCall(TypedDict, total=False):
    """A search of the web that the model asked for and the server made. As input, it says nothing to the model: what
    was found is in the answer that followed.
    """

    __pydantic_config__ = OPEN  # type: ignore[misc]
    type: Required[Literal["web_search_call"]]
    action: Annotated[
        dict[str, Any] | None,
        Field(description="What was done: `type` is `search`, with `query`, `queries`, and `sources` if asked for."),
    ]
    results: Annotated[
        Annotated[list[dict[str, Any]], AT_ONCE] | None, Field(description="What was found, if asked for by `include`.")
    ]
    id: Annotated[str | None, ID]
    status: Annotated[str | None, Field(description="`in_progress`, `searching`, `completed`, `incomplete`, `failed`.")]


class WebSearchCallInProgress(OfItem):
    """A search of the web is begun."""

    type: Literal["response.web_search_call.in_progress"] = "response.web_search_call.in_progress"


class WebSearchCallSearching(OfItem):
    """A search of the web is being made."""

    type: Literal["response.web_search_call.searching"] = "response.web_search_call.searching"


class WebSearchCallCompleted(OfItem):
    """A search of the web is complete."""

    type: Literal["response.web_search_call.completed"] = "response.web_search_call.completed"


KIND = ToolKind(
    tool=WebSearchTool,
    choice=WebSearchChoice,
    items=(ItemKind(shape=WebSearchCall, prefix="ws_"),),
    events=(WebSearchCallInProgress, WebSearchCallSearching, WebSearchCallCompleted),
    includes=(RESULTS, SOURCES),
)
