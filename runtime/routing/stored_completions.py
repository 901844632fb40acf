"""The chat completions that were kept: their table, and how they are listed, read, changed and deleted.

A row has the request and the answer as the bytes that they were; only who reads one looks into them. `keeping.py`
writes the rows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import msgspec

from runtime.apis._paging import page_of
from runtime.apis.inference.stored import (
    CompletionMessagesRequest,
    DeletedCompletion,
    StoredCompletionRequest,
    StoredCompletionsRequest,
    UpdateCompletionRequest,
)
from runtime.context import current
from runtime.errors import NotFound
from runtime.sse import Json, Reply, encode, raw_members
from runtime.storage import sql
from runtime.storage.sql.paging import paging_indexes, read_page
from runtime.storage.stores import Storage

STORE = "inference"
COMPLETIONS = sql.Table(
    name="",
    columns=(
        sql.Column("id", "text"),
        sql.Column("position", "integer"),
        sql.Column("created", "integer"),
        sql.Column("model", "text"),
        sql.Column("request_id", "text"),
        sql.Column("metadata", "json", nullable=True),
        sql.Column("request", "bytes"),
        sql.Column("answer", "bytes"),
    ),
    key=("id",),
    indexes=paging_indexes("model"),
    holds="completions",
    aged_by="created",
    entries_of="metadata",
)
"""model: as it was asked for. request, answer: JSON; the answer of a stream is that of all its chunks."""

SCHEMA = sql.Schema(
    name=STORE,
    tables=(COMPLETIONS,),
    migrations=((*sql.add_indexes(*paging_indexes("model"), sql.Index(("created",))), sql.AddEntries("")),),
)
_READ = ("id", "created", "request_id", "metadata", "request", "answer")
_HEAVY = ("request", "answer")
_SHOWN = (
    "temperature", "top_p", "presence_penalty", "frequency_penalty", "seed", "tools", "tool_choice", "response_format",
)  # fmt: skip
"""Fields of the request that a stored completion has too."""
_to_messages = msgspec.json.Decoder(list[dict[str, msgspec.Raw]]).decode


class StoredCompletions:
    """What the caller of the current request may see of them. Every method raises Unavailable."""

    def __init__(self, storage: Storage) -> None:
        self._store = storage.sql(STORE, SCHEMA)

    async def page(self, request: StoredCompletionsRequest) -> Reply:
        """Raises RequestError for a cursor that is none."""
        where: sql.Condition = sql.ALL if request.model is None else sql.eq("model", request.model)
        where = where & sql.has_entries("metadata", request.metadata or {})
        rows, has_more = await read_page(
            self._mine(), COMPLETIONS, request, where=where, columns=_READ, heavy=_HEAVY, what="chat completion"
        )
        return _page([_completion(row) for row in rows], has_more=has_more)

    async def get(self, completion_id: str) -> Reply:
        """Raises NotFound."""
        return Reply.of(_completion(await self._row(completion_id, _READ)))

    async def messages(self, request: CompletionMessagesRequest) -> Reply:
        """Raises NotFound, RequestError for a cursor that is none."""
        row = await self._row(request.completion_id, ("request",))
        messages = _to_messages(_request(row)["messages"])
        ids = [f"{request.completion_id}-{place}" for place in range(len(messages))]
        places, has_more = page_of(ids, request, what="message")
        return _page([_message(ids[place], messages[place]) for place in places], has_more=has_more)

    async def update(self, request: UpdateCompletionRequest) -> Reply:
        """Raises NotFound."""
        change = sql.Update(COMPLETIONS, {"metadata": request.metadata}, sql.eq("id", request.completion_id))
        if await self._mine().write(change) == [0]:
            raise _unknown(request.completion_id)
        return await self.get(request.completion_id)

    async def delete(self, request: StoredCompletionRequest) -> DeletedCompletion:
        """Raises NotFound."""
        if await self._mine().write(sql.Delete(COMPLETIONS, sql.eq("id", request.completion_id))) == [0]:
            raise _unknown(request.completion_id)
        return DeletedCompletion(id=request.completion_id)

    def _mine(self) -> sql.SqlStore:
        return self._store.for_user(current().user)

    async def _row(self, completion_id: str, columns: tuple[str, ...]) -> sql.Row:
        row = await self._mine().first(sql.Select(COMPLETIONS, sql.eq("id", completion_id), columns))
        if row is None:
            raise _unknown(completion_id)
        return row


def _unknown(completion_id: str) -> NotFound:
    return NotFound(
        f"There is no chat completion `{completion_id[:100]}`",
        hint="`GET /v1/chat/completions` lists those that were kept",
        param="completion_id",
    )


def _page(items: list[Json], *, has_more: bool) -> Reply:
    ids = [items[place]["id"] for place in (0, -1)] if items else [None, None]
    return Reply.of({"object": "list", "data": items, "first_id": ids[0], "last_id": ids[1], "has_more": has_more})


def _completion(row: sql.Row) -> Json:
    """See `StoredCompletion`. Members of request and answer are not looked into."""
    request = _request(row)
    return {
        "object": "chat.completion",
        "created": row["created"],
        **raw_members(row["answer"]),
        "id": row["id"],
        "request_id": row["request_id"],
        "metadata": row["metadata"] or {},
        "input_messages": request["messages"],
        **{name: request.get(name) for name in _SHOWN},
        "input_user": request.get("user"),
    }


def _request(row: sql.Row) -> Mapping[str, msgspec.Raw]:
    """The members of a request, each still JSON."""
    try:
        return raw_members(row["request"])
    except (ValueError, RecursionError):  # NaN in a field that nobody knows; our engine does not look at those
        asked = json.loads(row["request"], parse_constant=lambda _: None, parse_int=_as_it_is, parse_float=_as_it_is)
        return raw_members(encode(asked))


def _as_it_is(number: str) -> msgspec.Raw:
    """A number of any size, which no type of ours has to hold."""
    return msgspec.Raw(number.encode())


def _message(id: str, message: Mapping[str, msgspec.Raw]) -> Json:
    """See `StoredMessage`. What the message has stays JSON."""
    content = message.get("content")
    parts = content if content is not None and bytes(content).startswith(b"[") else None
    return {"name": None, **message, "content": None if parts else content, "content_parts": parts, "id": id}
