"""The responses that are kept: written while they are made, read, listed and deleted."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from runtime.apis._paging import json_page, page_of
from runtime.apis.responses.kept import (
    DeletedResponse,
    GetResponseRequest,
    InputItemsRequest,
    ListResponsesRequest,
    ResponseRequest,
)
from runtime.clock import wall_time
from runtime.context import current
from runtime.providers.responses.builtin.answering import Answering
from runtime.providers.responses.builtin.budget import Budget
from runtime.providers.responses.builtin.continuing import Continuing
from runtime.providers.responses.builtin.history import History, items_before_answer, no_response
from runtime.providers.responses.builtin.holding import READ, settled
from runtime.providers.responses.builtin.preparing import Prepared
from runtime.providers.responses.builtin.tables import RESPONSES
from runtime.sse import Json, Reply, decode, encode, raw_members
from runtime.storage.sql import ALL, Delete, Insert, Row, Select, SqlStore, Update, eq
from runtime.storage.sql.holding import Holding
from runtime.storage.sql.paging import read_page

_HEAVY = ("input", "response")


class Kept:
    """store: of all users; each method sees what the caller of the current request may see. All raise Unavailable."""

    def __init__(self, store: SqlStore, holding: Holding, continuing: Continuing) -> None:
        self._store = store
        self._holding = holding
        self._continuing = continuing

    def mine(self) -> SqlStore:
        return self._store.for_user(current().user)

    async def keep(self, answering: Answering, history: History) -> None:
        """A response that has ended and was told to nobody."""
        await self.mine().write(*insertion(answering, history))

    def record(self, prepared: Prepared) -> Record:
        """The row of a response that is being made."""
        return Record(self.mine(), prepared, self._holding)

    async def get(self, request: GetResponseRequest) -> Reply:
        """Raises NotFound."""
        return Reply.of(_shown(await self.row(request.response_id, self.mine())))

    async def read(self, response_id: str) -> Json:
        """The response object. Raises NotFound."""
        return decode((await self.row(response_id, self.mine()))["response"])

    async def row(self, response_id: str, rows: SqlStore) -> Row:
        """With `READ`. Raises NotFound."""
        row = await rows.first(Select(RESPONSES, eq("id", response_id), READ))
        if row is None:
            raise no_response(response_id, param="response_id")
        return settled(row, wall_time())

    async def page(self, request: ListResponsesRequest) -> Reply:
        """Raises RequestError for a cursor that is none."""
        where = ALL if request.model is None else eq("model", request.model)
        found, has_more = await read_page(
            self.mine(), RESPONSES, request, where=where, columns=READ, heavy=_HEAVY, what="response"
        )
        rows = [settled(row, wall_time()) for row in found]
        return json_page([_shown(row) for row in rows], [row["id"] for row in rows], has_more=has_more)

    async def input_items(self, request: InputItemsRequest) -> Reply:
        """Raises NotFound, RequestError for a cursor that is none, TooLarge."""
        row = await self.row(request.response_id, self.mine())
        items = await items_before_answer(row, self.mine(), self._continuing, Budget())
        ids = [item["id"] for item in items]
        places, has_more = page_of(ids, request, what="item")
        return json_page([items[place] for place in places], [ids[place] for place in places], has_more=has_more)

    async def delete(self, request: ResponseRequest) -> DeletedResponse:
        """Raises NotFound."""
        if await self.mine().write(Delete(RESPONSES, eq("id", request.response_id))) == [0]:
            raise no_response(request.response_id, param="response_id")
        return DeletedResponse(id=request.response_id)


class Record:
    """The row of one response that is made while a client waits. rows: the store of its owner."""

    def __init__(self, rows: SqlStore, prepared: Prepared, holding: Holding) -> None:
        self._rows = rows
        self._prepared = prepared
        self._holding = holding
        self._is_there = False

    async def begin(self) -> None:
        """Keep it before anybody hears of it, so that its id leads to it whatever happens. Raises Unavailable."""
        response_id = self._prepared.answering.response["id"]
        until = self._holding.hold(response_id)
        try:
            await self._rows.write(*self._insertion(held_until=until))
        except BaseException:
            self._holding.release(response_id)
            raise
        self._is_there = True

    async def end(self) -> bytes:
        """Keep it as it is now. Returns its JSON. Raises Unavailable."""
        response: bytes
        if not self._is_there:
            insertion = self._insertion(held_until=None)
            await self._rows.write(*insertion)
            response = insertion[0].values["response"]
        else:
            values = self._values()
            response = values["response"]
            self._holding.release(values["id"])
            changed = {"status": values["status"], "response": response, "held_until": None}
            await self._rows.write(Update(RESPONSES, changed, eq("id", values["id"])))
        return response

    def _insertion(self, *, held_until: float | None) -> list[Insert]:
        return insertion(self._prepared.answering, self._prepared.history, held_until=held_until)

    def _values(self) -> Json:
        return values_of(self._prepared.answering, self._prepared.history)


def insertion(answering: Answering, history: History, *, held_until: float | None = None) -> list[Insert]:
    """What keeps a response for the first time: its row, and what it was the first to read."""
    read = history.readings.statements(answering.response["id"], history.conversation)
    return [Insert(RESPONSES, values_of(answering, history) | {"held_until": held_until}), *read]


def values_of(answering: Answering, history: History) -> Json:
    """The columns of a response's row."""
    response = answering.response
    return {
        "id": response["id"],
        "position": answering.position,
        "created": response["created_at"],
        "status": response["status"],
        "model": response["model"],
        "previous": history.ancestors[-1] if history.ancestors else None,
        "conversation": history.conversation,
        "place": history.place,
        "input": encode(history.own),
        "response": encode(response),
    }


def _shown(row: Row) -> Mapping[str, msgspec.Raw]:
    """See `KeptResponse`. Its members stay JSON."""
    return {**raw_members(row["response"]), "input": msgspec.Raw(row["input"])}
