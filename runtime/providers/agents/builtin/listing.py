"""Pages by number, as llama-stack before 0.4 has them."""

from __future__ import annotations

from dataclasses import replace

from runtime.apis.agents.agent import ListRequest
from runtime.storage.sql import Row, Select, SqlStore
from runtime.storage.sql.paging import how_many
from runtime.storage.sql.statements import SIZE, Bound

_MOST, _USUAL = 1000, 100
_PLACE = ("position", "id")


async def page_of(store: SqlStore, query: Select, asked: ListRequest) -> tuple[list[Row], bool]:
    """Some rows, the oldest first, and whether there are more. query: of all of them; where it has `sizes`, a page ends
    before these come to more than is read at once. Raises Unavailable.
    """
    start = asked.start_index or 0
    most = _USUAL if asked.limit is None else asked.limit if asked.limit > 0 else _MOST
    places = replace(query, columns=_PLACE, order=_PLACE, sizes=())
    bounds: tuple[Bound, ...] = ()
    if start:
        before = await store.select(replace(places, limit=start))
        if len(before) < start:
            return [], False
        bounds = ((">", [before[-1][name] for name in _PLACE]),)
    found = await store.select(replace(places, sizes=query.sizes, limit=most + 1, bounds=bounds))
    page = found[:most]
    if query.sizes:
        page = page[: how_many([row[SIZE] for row in page])]
    if not page:
        return [], False
    rows = await store.select(replace(query, order=_PLACE, sizes=(), limit=len(page), bounds=bounds))
    return rows, len(found) > len(page)
