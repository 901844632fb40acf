"""Items as they are given, made whole, each with an id that no other one of them has."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import partial
from typing import Any

from runtime.apis.responses.whole import prefix_of, whole_items
from runtime.errors import RequestError
from runtime.ids import new_id, ordered_id
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


def with_new_ids(items: Iterable[Json], taken: Collection[str]) -> list[Json]:
    """The items, those with ids that are taken, or that an earlier one of them has, under new ones."""
    found: list[Json] = []
    seen = {*taken}
    for item in items:
        if item["id"] in seen:
            item = {**item, "id": new_id(prefix_of(item["type"]))}
        seen.add(item["id"])
        found.append(item)
    return found
