"""The responses that are kept: written while they are made, read, listed and deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from runtime.apis._paging import page_of
from runtime.apis.responses.kept import (
    DeletedResponse,
    GetResponseRequest,
    InputItemsRequest,
    ListResponsesRequest,
    ResponseRequest,
)
from runtime.context import current
from runtime.errors import NotFound
from runtime.providers.responses.builtin.answering import Answering
from runtime.providers.responses.builtin.history import History, items_before_answer
from runtime.providers.responses.builtin.preparing import Prepared
from runtime.providers.responses.builtin.tables import RESPONSES
from runtime.sse import Json, Reply, encode, raw_members
from runtime.storage.sql import ALL, Delete, Insert, Row, Select, SqlStore, Update, eq
from runtime.storage.sql.paging import read_page

_READ = ("id", "status", "ancestors", "input", "response")
_HEAVY = ("input", "response")


class Kept:
    """store: of all users; each method sees what the caller of the current request may see. All raise Unavailable."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store

    def mine(self) -> SqlStore:
        return self._store.for_user(current().user)

    def record(self, prepared: Prepared) -> Record:
        """The row of a response that is being made."""
        return Record(self.mine(), prepared.answering, prepared.history)

    async def get(self, request: GetResponseRequest) -> Reply:
        """Raises NotFound."""
        return Reply.of(_shown(await self._row(request.response_id)))

    async def page(self, request: ListResponsesRequest) -> Reply:
        """Raises RequestError for a cursor that is none."""
        where = ALL if request.model is None else eq("model", request.model)
        rows, has_more = await read_page(
            self.mine(), RESPONSES, request, where=where, columns=_READ, heavy=_HEAVY, what="response"
        )
        return _page([_shown(row) for row in rows], [row["id"] for row in rows], has_more=has_more)

    async def input_items(self, request: InputItemsRequest) -> Reply:
        """Raises NotFound, RequestError for a cursor that is none."""
        row = await self._row(request.response_id)
        items = await items_before_answer(row, self.mine())
        ids = [item["id"] for item in items]
        places, has_more = page_of(ids, request, what="item")
        return _page([items[place] for place in places], [ids[place] for place in places], has_more=has_more)

    async def delete(self, request: ResponseRequest) -> DeletedResponse:
        """Raises NotFound."""
        if await self.mine().write(Delete(RESPONSES, eq("id", request.response_id))) == [0]:
            raise _unknown(request.response_id)
        return DeletedResponse(id=request.response_id)

    async def _row(self, response_id: str) -> Row:
        row = await self.mine().first(Select(RESPONSES, eq("id", response_id), _READ))
        if row is None:
            raise _unknown(response_id)
        return row


class Record:
    """The row of one response, as long as it is being made. rows: the store of its owner."""

    def __init__(self, rows: SqlStore, answering: Answering, history: History) -> None:
        self._rows = rows
        self._answering = answering
        self._history = history
        self._is_there = False

    async def begin(self) -> None:
        """Keep it before anybody hears of it, so that its id leads to it whatever happens. Raises Unavailable."""
        await self._rows.write(Insert(RESPONSES, self._values()))
        self._is_there = True

    async def end(self) -> None:
        """Keep it as it is now. Raises Unavailable."""
        values = self._values()
        if self._is_there:
            changed = {name: values[name] for name in ("status", "response")}
            await self._rows.write(Update(RESPONSES, changed, eq("id", values["id"])))
        else:
            await self._rows.write(Insert(RESPONSES, values))

    def _values(self) -> Json:
        response = self._answering.response
        return {
            "id": response["id"],
            "position": self._answering.position,
            "created": response["created_at"],
            "status": response["status"],
            "model": response["model"],
            "ancestors": self._history.ancestors,
            "input": encode(self._history.own),
            "response": encode(response),
        }


def _shown(row: Row) -> Mapping[str, msgspec.Raw]:
    """See `KeptResponse`. Its members stay JSON."""
    return {**raw_members(row["response"]), "input": msgspec.Raw(row["input"])}


def _page(items: Sequence[Any], ids: list[str], *, has_more: bool) -> Reply:
    ends = [ids[place] for place in (0, -1)] if ids else [None, None]
    return Reply.of({"object": "list", "data": items, "first_id": ends[0], "last_id": ends[1], "has_more": has_more})


def _unknown(response_id: str) -> NotFound:
    return NotFound(
        f"There is no response `{response_id[:100]}`",
        hint="`GET /v1/responses` lists those that are kept; one made with `store: false` is not",
        param="response_id",
    )
