"""Items as they are given, made whole, each with an id that no other one of them has."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from runtime.apis.responses.whole import whole_items
from runtime.errors import RequestError
from runtime.ids import ordered_id
from runtime.sse import Json


def given_items(given: Iterable[Any], position: int) -> list[Json]:
    """given: checked as `Item`. position: for the ids of those that have none.

    Raises RequestError for a reference, and for two items with one id.
    """
    items = whole_items(given, partial(ordered_id, position=position))
    seen: dict[str, int] = {}
    for place, item in enumerate(items):
        if item["type"] == "item_reference":
            raise RequestError(
                f"`items[{place}]` refers to the item `{item['id'][:100]}`, and a conversation has items themselves",
                hint="give the item",
                param=f"items[{place}]",
            )
        if (other := seen.setdefault(item["id"], place)) != place:
            raise RequestError(
                f"`items[{place}]` has the id of `items[{other}]`, `{item['id']}`",
                hint="leave out one of them, or its id",
                param=f"items[{place}].id",
            )
    return items
