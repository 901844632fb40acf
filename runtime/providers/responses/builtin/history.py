"""What a response is made from: what went before, by whichever way it is named, and the items of its own request."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec

from runtime.apis.responses.request import ResponseHistory
from runtime.apis.responses.whole import whole_items, with_new_ids
from runtime.clock import wall_time
from runtime.errors import NotFound, RequestError
from runtime.ids import ordered_id, position_in
from runtime.providers.responses.builtin.answering import RUNS
from runtime.providers.responses.builtin.budget import Budget
from runtime.providers.responses.builtin.continuing import Continuing
from runtime.providers.responses.builtin.holding import READ, settled
from runtime.providers.responses.builtin.readings import Key, Readings
from runtime.providers.responses.builtin.tables import RESPONSES
from runtime.sse import Json, encode
from runtime.storage.sql import SIZE, Row, Select, SqlStore, Walk, eq

_HEAVY = ("input", "response")
_ITEMS = ("id", "previous", "conversation", "place", *_HEAVY)
"""What is read of a row that is part of a history."""
_BEFORE = "what went before"
_to_items = msgspec.json.Decoder(list[dict[str, Any]]).decode


class _Output(msgspec.Struct):
    output: list[dict[str, Any]]


_to_output = msgspec.json.Decoder(_Output).decode


@dataclass(kw_only=True)
class History:
    """before: the items of earlier responses, or of the conversation. own: those of the request, each with an id.
    ancestors: the ids of the earlier responses, the oldest first. conversation: its id, if there is one; place: that of
    its last item. readings: what the files in its items were read as.
    """

    own: list[Json]
    before: list[Json] = field(default_factory=list)
    ancestors: list[str] = field(default_factory=list)
    conversation: str | None = None
    place: int | None = None
    readings: Readings = field(default_factory=Readings)

    def recall(self, recalled: Recalled) -> None:
        """Continue this one. Where it is not kept, its items become the new one's own."""
        if recalled.ancestors is None:
            self.own = [*recalled.items, *self.own]
        else:
            self.before, self.ancestors = recalled.items, recalled.ancestors

    @property
    def items(self) -> list[Json]:
        return [*self.before, *self.own]


@dataclass(frozen=True, kw_only=True)
class Recalled:
    """A response that is remembered, whether or not it is kept. items: what it was made from and what came of it;
    size_bytes: of these, as JSON. ancestors: the ids by which what continues it finds all of that; None where it is not
    kept. readings: what its files were read as.
    """

    id: str
    items: list[Json]
    size_bytes: int
    ancestors: list[str] | None
    readings: Mapping[Key, Json]


async def history_of(
    request: ResponseHistory,
    rows: SqlStore,
    position: int,
    continuing: Continuing,
    budget: Budget,
    recalled: Recalled | None = None,
) -> History:
    """rows: the responses that the caller sees. position: the new response's. recalled: may be the one that is
    continued.

    Raises NotFound for a response, a conversation or an item that is not there, RequestError for one that cannot be
    continued and an item that is referred to twice, TooLarge for more than is left of `budget`, NotSupported for a
    conversation where there are none, Unavailable.
    """
    new_id = partial(ordered_id, position=position)
    history = History(own=whole_items(request.input, new_id))
    previous = request.previous_response_id
    if recalled is not None and previous == recalled.id:
        budget.take(recalled.size_bytes, _BEFORE, param="previous_response_id")
        history.recall(recalled)
    elif previous is not None:
        row = await rows.first(Select(RESPONSES, eq("id", previous), READ))
        if row is None:
            raise no_response(previous, param="previous_response_id", code="previous_response_not_found")
        row = settled(row, wall_time())
        if row["status"] in RUNS:
            raise RequestError(
                f"The response `{previous}` is `{row['status']}`, so that it cannot be continued yet",
                hint="wait until it has ended",
                param="previous_response_id",
            )
        budget.take(_size(row), _BEFORE, param="previous_response_id")
        ancestors = await _ancestors(row, rows, budget)
        history.before = [*await _before_answer(row, ancestors, continuing, budget), *_output(row)]
        history.ancestors = [one["id"] for one in (*ancestors, row)]
    elif (conversation := request.conversation_id) is not None:
        read = await continuing.read(conversation, budget=budget)
        history.before, history.conversation, history.place = [*read.items], conversation, read.place
    if not isinstance(request.input, str):  # one text is neither a reference nor an item with an id of its own
        await _resolve(history, rows, budget)
        history.own = with_new_ids(history.own, {item["id"] for item in history.before}, new_id)
    return history


async def items_before_answer(row: Row, rows: SqlStore, continuing: Continuing, budget: Budget) -> list[Json]:
    """The items that a response was made from. row: with `READ`; it is not counted itself.

    Raises NotFound if a response or a conversation of those was deleted, TooLarge for more than is left of `budget`.
    """
    return await _before_answer(row, await _ancestors(row, rows, budget), continuing, budget)


async def _ancestors(row: Row, rows: SqlStore, budget: Budget) -> list[Row]:
    """The rows of the responses that one continues, the oldest first. Raises NotFound, TooLarge."""
    if row["previous"] is None:
        return []
    walk = Walk(RESPONSES, row["previous"], "previous", _ITEMS, sizes=_HEAVY, most_bytes=budget.left_bytes)
    found = await rows.walk(walk)
    missing = found[-1]["previous"] if found else row["previous"]
    size_bytes = sum(map(_size, found))
    if missing is not None:
        there = await rows.first(Select(RESPONSES, eq("id", missing), ("id",), sizes=_HEAVY))
        if there is not None:
            budget.check(size_bytes + there[SIZE], _BEFORE, param="previous_response_id")
        raise NotFound(
            f"The response `{row['id']}` continues `{missing}`, which was deleted", param="previous_response_id"
        )
    budget.take(size_bytes, _BEFORE, param="previous_response_id")
    return found[::-1]


async def _before_answer(row: Row, ancestors: list[Row], continuing: Continuing, budget: Budget) -> list[Json]:
    items: list[Json] = []
    oldest = ancestors[0] if ancestors else row
    if oldest["conversation"] is not None:
        items += (await continuing.read(oldest["conversation"], oldest["place"], budget=budget)).items
    for one in ancestors:
        items += _items(one)
    return items + own_items(row)


async def _resolve(history: History, rows: SqlStore, budget: Budget) -> None:
    """Put the items that are meant in the places of references."""
    places = _places_of_references(history.own)
    known = {str(one["id"]): one for one in history.items if one["type"] != "item_reference"} if places else {}
    for id, place in places.items():
        if id not in known:
            known |= await _beside(id, places, rows)
        if id not in known:
            raise NotFound(
                f"`input[{place}]` refers to the item `{id[:100]}`, which is in no response that is kept",
                param=f"input[{place}].id",
                code="item_not_found",
            )
        what = f"the item `{id[:100]}` that `input[{place}]` refers to"
        budget.take(len(encode(known[id])), what, param=f"input[{place}].id")
        history.own[place] = known[id]


def _places_of_references(items: Sequence[Json]) -> dict[str, int]:
    """By what they refer to. Raises RequestError for what two of them refer to: as OpenAI has it, an item is read once,
    and a short request does not come to a long one.
    """
    places: dict[str, int] = {}
    for place, item in enumerate(items):
        if item["type"] == "item_reference" and (first := places.setdefault(item["id"], place)) != place:
            raise RequestError(
                f"`input[{place}]` refers to the item `{item['id'][:100]}`, as `input[{first}]` does",
                hint="refer to each item once",
                param=f"input[{place}].id",
            )
    return places


async def _beside(item_id: str, wanted: Collection[str], rows: SqlStore) -> dict[str, Json]:
    """Those of the wanted items that the response has which made an item, by id: its place is in the item's id. Of the
    rest of the response nothing stays.
    """
    position = position_in(item_id)
    if position is None:
        return {}
    found = await rows.select(Select(RESPONSES, eq("position", position), READ))
    return {item["id"]: item for row in found for item in _items(row) if item.get("id") in wanted}


def no_response(response_id: str, *, param: str, code: str = "response_not_found") -> NotFound:
    """The error for an id that leads to no response. param: the field that names it."""
    return NotFound(
        f"There is no response `{response_id[:100]}`",
        hint="`GET /v1/responses` lists those that are kept; one made with `store: false` is not",
        param=param,
        code=code,
    )


def _size(row: Row) -> int:
    return len(row["input"]) + len(row["response"])


def _items(row: Row) -> list[Json]:
    return own_items(row) + _output(row)


def own_items(row: Row) -> list[Json]:
    """The items of a response's own request. row: with `input`."""
    return _to_items(row["input"])


def _output(row: Row) -> list[Json]:
    return _to_output(row["response"]).output
