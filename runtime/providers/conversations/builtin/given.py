"""Items as they are given, made whole, each with an id that no other one of them has."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial
from typing import Any

from runtime.apis.responses.whole import whole_items
from runtime.errors import RequestError
from runtime.ids import ordered_id
from runtime.sse import Json

_NOT_IN_PATHS = re.compile(r"[/\x00-\x1f\x7f]")


def is_addressable(item_id: str) -> bool:
    """Whether an item can be got and deleted by its id."""
    return item_id != "" and _NOT_IN_PATHS.search(item_id) is None


def given_items(given: Iterable[Any], position: int) -> list[Json]:
    """given: checked as `Item`. position: for the ids of those that have none.

    Raises RequestError for a reference, for an id that no path can hold, and for two items with one id.
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
        if not is_addressable(item["id"]):
            raise RequestError(
                f"`items[{place}]` has the id `{item['id'][:100]}`, by which no path leads to it",
                hint="give an id without `/` and control characters, or leave it out: then it gets one",
                param=f"items[{place}].id",
            )
        if (other := seen.setdefault(item["id"], place)) != place:
            raise RequestError(
                f"`items[{place}]` has the id of `items[{other}]`, `{item['id']}`",
                hint="leave out one of them, or its id",
                param=f"items[{place}].id",
            )
    return items
