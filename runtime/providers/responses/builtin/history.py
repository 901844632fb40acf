"""What a response is made from: what went before, by whichever way it is named, and the items of its own request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec

from runtime.apis.responses.request import ResponseHistory
from runtime.apis.responses.whole import whole_items, with_new_ids
from runtime.clock import wall_time
from runtime.errors import NotFound, RequestError, TooLarge
from runtime.ids import ordered_id, position_in
from runtime.providers.responses.builtin.answering import RUNS
from runtime.providers.responses.builtin.continuing import Continuing
from runtime.providers.responses.builtin.holding import READ, settled
from runtime.providers.responses.builtin.readings import Key, Readings
from runtime.providers.responses.builtin.tables import RESPONSES
from runtime.sse import Json
from runtime.storage.sql import SIZE, Row, Select, SqlStore, eq, one_of

_ITEMS = ("id", "conversation", "input", "response")
"""What is read of a row that is part of a history. Not its ancestors: the row that is continued names them all."""
MOST_BYTES = 64 * 1024 * 1024
"""Of what went before, as JSON: as much as the body of a request may be."""
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
    recalled: Recalled | None = None,
) -> History:
    """rows: the responses that the caller sees. position: the new response's. recalled: may be the one that is
    continued.

    Raises NotFound for a response, a conversation or an item that is not there, RequestError for one that cannot be
    continued, TooLarge for more than `MOST_BYTES` before the request, NotSupported for a conversation where there are
    none, Unavailable.
    """
    new_id = partial(ordered_id, position=position)
    history = History(own=whole_items(request.input, new_id))
    previous = request.previous_response_id
    if recalled is not None and previous == recalled.id:
        _check_size(recalled.size_bytes, "previous_response_id")
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
        own = len(row["input"]) + len(row["response"])
        history.before = [*await items_before_answer(row, rows, continuing, own_bytes=own), *_output(row)]
        history.ancestors = [*row["ancestors"], previous]
    elif (conversation := request.conversation_id) is not None:
        read = await continuing.read(conversation, most_bytes=MOST_BYTES)
        history.before, history.conversation, history.place = [*read.items], conversation, read.place
    if not isinstance(request.input, str):  # one text is neither a reference nor an item with an id of its own
        await _resolve(history, rows)
        history.own = with_new_ids(history.own, {item["id"] for item in history.before}, new_id)
    return history


async def items_before_answer(row: Row, rows: SqlStore, continuing: Continuing, *, own_bytes: int = 0) -> list[Json]:
    """The items that a response was made from. row: with `READ`. own_bytes: what of the row itself counts too.

    Raises NotFound if a response or a conversation of those was deleted, TooLarge for more than `MOST_BYTES`.
    """
    ancestors: list[str] = row["ancestors"]
    found = {}
    if ancestors:
        theirs = one_of("id", ancestors)
        sizes = await rows.select(Select(RESPONSES, theirs, ("id",), sizes=("input", "response")))
        _check_size(sum(one[SIZE] for one in sizes) + own_bytes, "previous_response_id")
        found = {one["id"]: one for one in await rows.select(Select(RESPONSES, theirs, _ITEMS))}
    items: list[Json] = []
    if (conversation := found.get(ancestors[0], row) if ancestors else row)["conversation"] is not None:
        until = conversation["place"]
        items += (await continuing.read(conversation["conversation"], until, most_bytes=MOST_BYTES)).items
    for id in ancestors:
        if id not in found:
            raise NotFound(
                f"The response `{row['id']}` continues `{id}`, which was deleted", param="previous_response_id"
            )
        items += _items(found[id])
    return items + own_items(row)


def _check_size(size_bytes: int, param: str) -> None:
    if size_bytes > MOST_BYTES:
        raise TooLarge(
            f"What went before is {size_bytes} bytes, and at most {MOST_BYTES} are read",
            hint="continue an earlier response, or begin anew",
            param=param,
        )


async def _resolve(history: History, rows: SqlStore) -> None:
    """Put the items that are meant in the places of references."""
    known: dict[str, Json] = {}
    for place, item in enumerate(history.own):
        if item["type"] != "item_reference":
            continue
        id: str = item["id"]
        known = known or {str(one["id"]): one for one in history.items if one["type"] != "item_reference"}
        if id not in known:
            known |= await _beside(id, rows)
        if id not in known:
            raise NotFound(
                f"`input[{place}]` refers to the item `{id[:100]}`, which is in no response that is kept",
                param=f"input[{place}].id",
            )
        history.own[place] = known[id]


async def _beside(item_id: str, rows: SqlStore) -> dict[str, Json]:
    """The items of the response that made an item, by id: its place is in the item's id."""
    position = position_in(item_id)
    if position is None:
        return {}
    found = await rows.select(Select(RESPONSES, eq("position", position), READ))
    return {item["id"]: item for row in found for item in _items(row) if "id" in item}


def no_response(response_id: str, *, param: str, code: str | None = None) -> NotFound:
    """The error for an id that leads to no response. param: the field that names it."""
    return NotFound(
        f"There is no response `{response_id[:100]}`",
        hint="`GET /v1/responses` lists those that are kept; one made with `store: false` is not",
        param=param,
        code=code,
    )


def _items(row: Row) -> list[Json]:
    return own_items(row) + _output(row)


def own_items(row: Row) -> list[Json]:
    """The items of a response's own request. row: with `input`."""
    return _to_items(row["input"])


def _output(row: Row) -> list[Json]:
    return _to_output(row["response"]).output
