"""How every list that can grow is read: page by page, as OpenAI's lists are
(https://platform.openai.com/docs/api-reference/introduction). The storage reads such pages in
`runtime/storage/sql/paging.py`; of a list that is in memory as a whole, `page_of` makes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

from runtime.apis._request import Request, Response
from runtime.errors import RequestError
from runtime.sse import Reply

Order = Literal["asc", "desc"]


class PageRequest(Request):
    """Which page of a list. A list has more fields of its own, and may have another usual limit."""

    after: str | None = Field(
        None, description="The id of the last item of the page before this one. By default, the list begins."
    )
    before: str | None = Field(
        None, description="The id of the first item of the page after this one. By default, the list ends."
    )
    limit: int = Field(20, ge=1, le=100, description="The most items of a page. The default is 20.")
    order: Order = Field("desc", description="Oldest first with `asc`. The default is `desc`, newest first.")


class Page(Response):
    """One page of a list; `data` is declared by each list."""

    object: Literal["list"] = "list"
    first_id: str | None = Field(None, description="The id of the first item, null on an empty page.")
    last_id: str | None = Field(None, description="The id of the last item, null on an empty page.")
    has_more: bool = Field(description="Whether another page follows.")


def json_page(items: Sequence[Any], ids: Sequence[str], *, has_more: bool) -> Reply:
    """A `Page` as JSON. items: what JSON has; ids: of each."""
    ends = [ids[place] for place in (0, -1)] if ids else [None, None]
    return Reply.of({"object": "list", "data": items, "first_id": ends[0], "last_id": ends[1], "has_more": has_more})


def page_of(ids: Sequence[str], asked: PageRequest, *, what: str) -> tuple[list[int], bool]:
    """The places of a page's items in a list, and whether another page follows in the direction of reading. ids: of all
    items, oldest first. what: an item, for messages.

    Raises RequestError for a cursor that is none of the ids.
    """
    places = list(range(len(ids)))
    if asked.order == "desc":
        places.reverse()
    begin, end = 0, len(places)
    if asked.after is not None:
        begin = places.index(_place(ids, asked.after, "after", what)) + 1
    if asked.before is not None:
        end = places.index(_place(ids, asked.before, "before", what))
    within = places[begin:end]
    reads_backwards = asked.before is not None and asked.after is None
    return within[-asked.limit :] if reads_backwards else within[: asked.limit], len(within) > asked.limit


def _place(ids: Sequence[str], cursor: str, field: str, what: str) -> int:
    if cursor not in ids:
        raise invalid_cursor(field, cursor, what)
    return ids.index(cursor)


def invalid_cursor(field: str, cursor: str, what: str) -> RequestError:
    """The error for a cursor that leads nowhere. field: `after` or `before`. what: an item of the list."""
    return RequestError(
        f"`{field}` is `{cursor[:100]}`, which leads to no {what} of this list",
        hint="give the `last_id` or `first_id` of a page",
        param=field,
        code="invalid_cursor",
    )
