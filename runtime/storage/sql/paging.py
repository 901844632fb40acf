"""Reads a table page by page: the only place that knows cursors.

A paged table has the columns `id` and `position` (`runtime.ids.new_position`) and `paging_indexes`. A cursor is an id.
Rows are ordered by position, then id, which never change once a row is listed: so a page that begins after an id is the
same whatever was inserted or deleted meanwhile, and costs the same wherever it begins.

The order is that in which rows were begun, as `created` says, and not that in which they were written: an answer has
its place when its stream begins, and several writers or servers overtake each other. A walk has every row that was
there when it began, once. A row that is written meanwhile may have a place that the walk has passed: whoever follows a
list as it grows asks again from a cursor that is as old as what may still be at work.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Protocol

from runtime.apis._paging import Order, invalid_cursor
from runtime.ids import position_in
from runtime.storage.sql.conditions import ALL, Condition, eq, one_of
from runtime.storage.sql.ordered import BY_OWNER
from runtime.storage.sql.statements import SIZE, Bound, Select
from runtime.storage.sql.store import Row, SqlStore
from runtime.storage.sql.tables import Index, Table

_PLACE = ("position", "id")
BY_POSITION = Index(_PLACE)
MOST_BYTES = 16 * 1024 * 1024
"""Of large values that are read for one page: others wait while they are made into an answer."""


def paging_indexes(*filters: str) -> tuple[Index, ...]:
    """What a paged table with owners needs, so that a page costs the same whoever asks for it, and however few of the
    rows are theirs. filters: columns, each of which lists may be narrowed by.
    """
    return (BY_POSITION, BY_OWNER, *(Index((column, *_PLACE)) for column in filters))


class AskedPage(Protocol):
    """What a request says about the page that it wants: see `runtime.apis._paging.PageRequest`."""

    after: str | None
    before: str | None
    limit: int
    order: Order


async def read_page(
    store: SqlStore,
    table: Table,
    asked: AskedPage,
    *,
    within: Condition = ALL,
    where: Condition = ALL,
    columns: tuple[str, ...] = (),
    heavy: tuple[str, ...] = (),
    what: str = "item",
) -> tuple[list[Row], bool]:
    """The rows of a page, and whether another one follows in the direction of reading. within: the part of the table
    that the list is of, where an id is one's in this part only; then a cursor must be in it, though not among `where`.
    columns: with `id`; empty for all. heavy: columns of bytes that may be large: a page ends before they come to more
    than `MOST_BYTES`, though not before its first row. what: an item, for messages.

    Raises RequestError for a cursor that is not the id of one, Unavailable.
    """
    bounds: list[Bound] = []
    for field, cursor in (("after", asked.after), ("before", asked.before)):
        if cursor is not None:
            place = await _place(store, table, within, cursor, field, what)
            is_greater = (field == "after") == (asked.order == "asc")
            bounds.append((">" if is_greater else "<", place))
    reads_backwards = asked.before is not None and asked.after is None
    is_ascending = (asked.order == "asc") != reads_backwards
    order = _PLACE if is_ascending else tuple(f"-{column}" for column in _PLACE)
    first = ("id",) if heavy else columns
    found = await store.select(Select(table, within & where, first, order, asked.limit + 1, heavy, tuple(bounds)))
    page = found[: asked.limit]
    if heavy:
        page = page[: how_many([row[SIZE] for row in page])]
    has_more = len(found) > len(page)
    if page and heavy:
        page = await store.select(Select(table, within & one_of("id", [row["id"] for row in page]), columns, order))
    return (page[::-1] if reads_backwards else page), has_more


def how_many(sizes: Sequence[int]) -> int:
    """Of how many of the first rows the bytes may be read at once: of one at least. sizes: by row."""
    totals = accumulate(sizes)
    return max(1, sum(total <= MOST_BYTES for total in totals))


async def _place(
    store: SqlStore, table: Table, within: Condition, cursor: str, field: str, what: str
) -> tuple[int, str]:
    row = await store.first(Select(table, within & eq("id", cursor), ("position",)))
    position = row["position"] if row else None if within.sql else position_in(cursor)
    if position is None:
        raise invalid_cursor(field, cursor, what)
    return position, cursor
