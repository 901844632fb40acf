"""Puts items at the end of a conversation, so that those of one request stand together and no item ever comes before
one that somebody has seen.

An append takes positions behind the conversation's last one and makes its own the last, in one transaction. Where
another append was faster, nothing is changed, and it tries again with later positions: there is no lock that could be
left behind. Where that happens, those of one process wait for each other, since all but one would try in vain.
"""

from __future__ import annotations

from collections.abc import Sequence

from runtime.errors import Conflict
from runtime.ids import new_position
from runtime.providers.conversations.builtin.tables import CONVERSATIONS, ITEMS
from runtime.sse import Json, encode
from runtime.storage import sql
from runtime.turns import Turns

_MOST_TRIES = 100


class Appending:
    def __init__(self) -> None:
        self._turns = Turns()

    async def append(self, rows: sql.SqlStore, conversation_id: str, items: Sequence[Json]) -> bool:
        """Whether the conversation is there; the items, at least one, are on disk then. rows: what the caller sees.

        Raises Duplicate if it has an item with one of the ids, Conflict if others append all the time, Unavailable.
        """
        try:
            await _write(rows, conversation_id, items)
            return True
        except (sql.Stale, sql.Duplicate):
            turn = self._turns.of(conversation_id)
        async with turn:
            return await _write_again(rows, conversation_id, items)


async def _write_again(rows: sql.SqlStore, conversation_id: str, items: Sequence[Json]) -> bool:
    came_again: list[sql.Statement] = []
    for _ in range(_MOST_TRIES):
        row = await rows.first(sql.Select(CONVERSATIONS, sql.eq("id", conversation_id), ("last",)))
        if row is None:
            return False
        try:
            await _write(rows, conversation_id, items, *came_again, behind=row["last"])
            return True
        except sql.Stale:
            continue
        except sql.Duplicate:
            if came_again:
                raise
            # Some may have been deleted: then their old places go.
            came_again = [sql.Delete(ITEMS, with_ids(conversation_id, items) & sql.eq("item", None))]
    raise Conflict(f"Others add to the conversation `{conversation_id}` all the time", hint="try again")


async def _write(
    rows: sql.SqlStore, conversation_id: str, items: Sequence[Json], *before: sql.Statement, behind: int = 0
) -> None:
    """Raises Stale where the conversation is not there, or has items behind the positions that are taken."""
    positions = positions_for(items, behind)
    change = {"last": positions[-1], "used": positions[-1] // 1_000_000}
    takes = sql.Update(CONVERSATIONS, change, sql.eq("id", conversation_id) & sql.below("last", positions[0]), expect=1)
    await rows.write(takes, *before, *inserts(conversation_id, items, positions))


def positions_for(items: Sequence[Json], behind: int = 0) -> list[int]:
    """A new position for each, greater than `behind`, which is more than the clock says where another's is ahead."""
    positions = [new_position() for _ in items]
    if positions and positions[0] <= behind:
        ahead = behind + 1 - positions[0]
        positions = [position + ahead for position in positions]
    return positions


def inserts(conversation_id: str, items: Sequence[Json], positions: Sequence[int]) -> list[sql.Statement]:
    """The rows of items."""
    return [
        sql.Insert(
            ITEMS, {"conversation_id": conversation_id, "id": item["id"], "position": position, "item": encode(item)}
        )
        for position, item in zip(positions, items, strict=True)
    ]


def with_ids(conversation_id: str, items: Sequence[Json]) -> sql.Condition:
    """The places of a conversation that have the ids of these items."""
    return sql.eq("conversation_id", conversation_id) & sql.one_of("id", [item["id"] for item in items])
