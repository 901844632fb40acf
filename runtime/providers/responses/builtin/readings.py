"""What files came to when they were read: kept with the response that read them, so that whatever continues it reads
the same, and no address is asked twice.

An item is known by its id, a file in it by what was given of it. Whoever gives an item an id of their own may give
another one the same: so these count within one history only.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256

from runtime.ids import position_in
from runtime.providers.responses.builtin.budget import Budget
from runtime.providers.responses.builtin.tables import READINGS
from runtime.sse import Json, decode, encode
from runtime.storage.sql import SIZE, Condition, Insert, Row, Select, SqlStore, one_of

Key = tuple[str, str]
"""An item's id, and the digest of the part of it that gives a file."""
_AT_ONCE = 500
"""Items that are asked for with one query: databases take so many values and no more."""
_ABOUT = ("response_id", "item_id", "digest", "conversation")
"""What is read of a row before its part."""


class Readings:
    """known: those of earlier responses that are kept; recalled: of one that is remembered and not kept."""

    def __init__(self, known: Mapping[Key, Json] | None = None, recalled: Mapping[Key, Json] | None = None) -> None:
        self._known = known or {}
        self._recalled = recalled or {}
        self.new: dict[Key, Json] = {}

    def find(self, item: Json, part: Json) -> Json | None:
        """What a part was read as. None if it was not read before."""
        key = _key(item, part)
        if (found := self._known.get(key)) is None and (found := self._recalled.get(key)) is not None:
            self.new[key] = found
        return found

    def add(self, item: Json, part: Json, read: Json) -> None:
        """Keep this with the response. An item without an id is part of no history."""
        if "id" in item:
            self.new[_key(item, part)] = read

    def remembered(self) -> dict[Key, Json]:
        """For what continues a response that is not kept."""
        return {**self._known, **self.new}

    def statements(self, response_id: str, conversation: str | None) -> list[Insert]:
        """What keeps the new ones, once the response's row is there. conversation: the one that it continues."""
        return [
            Insert(
                READINGS,
                {
                    "response_id": response_id,
                    "item_id": item_id,
                    "digest": digest,
                    "conversation": conversation,
                    "part": encode(read),
                },
                replace=(),
            )
            for (item_id, digest), read in self.new.items()
        ]


async def known_readings(
    item_ids: Sequence[str],
    rows: SqlStore,
    budget: Budget,
    *,
    responses: Collection[str | None],
    conversation: str | None,
) -> dict[Key, Json]:
    """What the files of these items were read as. rows: the responses that the caller sees. responses, conversation:
    those that are continued. Raises TooLarge for more than is left of `budget`, of which nothing is taken; Unavailable.
    """
    parts = (item_ids[at : at + _AT_ONCE] for at in range(0, len(item_ids), _AT_ONCE))
    about = (Select(READINGS, one_of("item_id", part), _ABOUT, sizes=("part",)) for part in parts)
    listed = [row for found in await rows.select_each(*about) for row in found]
    fitting = {
        _key_of(row): row["response_id"]
        for row in listed
        if position_in(row["item_id"]) is not None
        or row["response_id"] in responses
        or (conversation is not None and row["conversation"] == conversation)
    }
    readers = {*fitting.values()}
    size_bytes = sum(row[SIZE] for row in listed if row["response_id"] in readers)
    budget.check(size_bytes, "what the files of earlier items were read as", param="input")
    wanted = [*fitting.items()]
    read = [
        Select(READINGS, _of(wanted[at : at + _AT_ONCE]), (*_ABOUT, "part")) for at in range(0, len(wanted), _AT_ONCE)
    ]
    return {
        key: decode(row["part"])
        for found in await rows.select_each(*read)
        for row in found
        if fitting.get(key := _key_of(row)) == row["response_id"]
    }


def _of(wanted: Sequence[tuple[Key, str]]) -> Condition:
    """The rows of these items that these responses have. wanted: keys with the ids of responses."""
    items, readers = {item_id for (item_id, _), _ in wanted}, {reader for _, reader in wanted}
    return one_of("item_id", [*items]) & one_of("response_id", [*readers])


def _key_of(row: Row) -> Key:
    return row["item_id"], row["digest"]


def _key(item: Json, part: Json) -> Key:
    return str(item.get("id")), sha256(encode(part)).hexdigest()
