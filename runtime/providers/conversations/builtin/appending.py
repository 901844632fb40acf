"""Puts items at the end of a conversation, so that those of one request stand together and no item ever comes before
one that somebody has seen.

An append takes positions behind the conversation's last one and makes its own the last, in one transaction. Where
another append was faster, nothing is changed, and it tries again with later positions: there is no lock that could be
left behind. Only those of one process wait for each other, since all but one would try in vain.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from weakref import WeakValueDictionary

from runtime.errors import Conflict
from runtime.ids import new_position
from runtime.providers.conversations.builtin.tables import CONVERSATIONS, ITEMS
from runtime.sse import Json, encode
from runtime.storage.sql import (
    Condition,
    Delete,
    Duplicate,
    Insert,
    Select,
    SqlStore,
    Stale,
    Statement,
    Update,
    below,
    eq,
    one_of,
)

_MOST_TRIES = 100


class Appending:
    def __init__(self) -> None:
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def append(self, rows: SqlStore, conversation_id: str, items: Sequence[Json]) -> bool:
        """Whether the conversation is there; the items, at least one, are on disk then. rows: what the caller sees.

        Raises Duplicate if it has an item with one of the ids, Conflict if others append all the time, Unavailable.
        """
        turn = self._turns.setdefault(conversation_id, asyncio.Lock())
        async with turn:
            return await _append(rows, conversation_id, items)


async def _append(rows: SqlStore, conversation_id: str, items: Sequence[Json]) -> bool:
    first = 0
    again: list[Statement] = []
    for _ in range(_MOST_TRIES):
        first = max(new_position(), first)
        last = first + len(items) - 1
        change = {"last": last, "used": last // 1_000_000}
        takes = Update(CONVERSATIONS, change, eq("id", conversation_id) & below("last", first), expect=1)
        try:
            await rows.write(takes, *again, *inserts(conversation_id, items, first))
            return True
        except Stale:
            row = await rows.first(Select(CONVERSATIONS, eq("id", conversation_id), ("last",)))
            if row is None:
                return False
            first = row["last"] + 1
        except Duplicate:
            if again:
                raise
            # Some may have been deleted and come again: then their old places go.
            again = [Delete(ITEMS, with_ids(conversation_id, items) & eq("item", None))]
    raise Conflict(f"Others add to the conversation `{conversation_id}` all the time", hint="try again")


def inserts(conversation_id: str, items: Sequence[Json], first: int) -> list[Statement]:
    """The rows of items. first: the position of the first one."""
    return [
        Insert(
            ITEMS, {"conversation_id": conversation_id, "id": item["id"], "position": position, "item": encode(item)}
        )
        for position, item in enumerate(items, first)
    ]


def with_ids(conversation_id: str, items: Sequence[Json]) -> Condition:
    """The places of a conversation that have the ids of these items."""
    return eq("conversation_id", conversation_id) & one_of("id", [item["id"] for item in items])
