"""The Conversations API: conversations and their items, begun, added to, read and deleted."""

from __future__ import annotations

from typing import Any

import msgspec

from runtime.apis._paging import json_page
from runtime.apis.conversations.protocol import (
    AppendItems,
    Conversation,
    ConversationRequest,
    CreateConversationRequest,
    CreateItemsRequest,
    DeletedConversation,
    DeleteItemRequest,
    ItemRequest,
    ListItemsRequest,
    ReadConversation,
    UpdateConversationRequest,
    WholeConversation,
)
from runtime.apis.responses.whole import with_new_ids
from runtime.context import current
from runtime.errors import NotFound, RequestError, TooLarge
from runtime.ids import new_id, new_position
from runtime.provider import ProviderContext
from runtime.providers.conversations.builtin.appending import Appending, inserts, positions_for, with_ids
from runtime.providers.conversations.builtin.given import given_items, is_addressable
from runtime.providers.conversations.builtin.tables import CONVERSATIONS, ITEMS, SCHEMA, STORE
from runtime.sse import Json, Reply
from runtime.storage import sql
from runtime.storage.sql.paging import read_page

_SHOWN = ("id", "created", "metadata")
_THERE = sql.Condition("item IS NOT NULL")
_to_items = msgspec.json.Decoder(list[dict[str, Any]]).decode


class BuiltinConversations:
    """Implements `Conversations`."""

    def __init__(self, config: object, context: ProviderContext) -> None:
        self._store = context.storage.sql(STORE, SCHEMA)
        self._appending = Appending()

    def _mine(self) -> sql.SqlStore:
        """The conversations that the caller sees. Items have no owners of their own: see `_row`."""
        return self._store.for_user(current().user)

    async def create_conversation(self, request: CreateConversationRequest) -> Conversation:
        position = new_position()
        items = given_items(request.items or (), position)
        positions = positions_for(items)
        created = position // 1_000_000
        conversation_id = new_id("conv_") + new_id("")  # 48 digits, which servers of other versions ask for
        row = {
            "id": conversation_id,
            "created": created,
            "used": created,
            "last": positions[-1] if positions else position,
            "metadata": request.metadata or {},
        }
        await self._mine().write(sql.Insert(CONVERSATIONS, row), *inserts(conversation_id, items, positions))
        return _shown(row)

    async def get_conversation(self, request: ConversationRequest) -> Conversation:
        return _shown(await self._row(request.conversation_id))

    async def update_conversation(self, request: UpdateConversationRequest) -> Conversation:
        change = {"metadata": request.metadata or {}}
        await self._mine().write(sql.Update(CONVERSATIONS, change, sql.eq("id", request.conversation_id)))
        return _shown(await self._row(request.conversation_id))

    async def delete_conversation(self, request: ConversationRequest) -> DeletedConversation:
        """Raises NotFound."""
        if await self._mine().write(sql.Delete(CONVERSATIONS, sql.eq("id", request.conversation_id))) == [0]:
            raise _unknown(request.conversation_id)
        return DeletedConversation(id=request.conversation_id)

    async def create_items(self, request: CreateItemsRequest) -> Reply:
        """Raises RequestError for an item that is there, NotFound."""
        items = given_items(request.items, new_position())
        try:
            await self._append(request.conversation_id, items)
        except sql.Duplicate:
            taken = await self._taken(request.conversation_id, items)
            place = next((place for place, item in enumerate(items) if item["id"] in taken), 0)
            raise RequestError(
                f"`items[{place}]` has the id `{items[place]['id']}`, which is that of an item in the conversation",
                hint="leave out the item, or its id",
                param=f"items[{place}].id",
            ) from None
        return json_page(items, [item["id"] for item in items], has_more=False)

    async def list_items(self, request: ListItemsRequest) -> Reply:
        await self._row(request.conversation_id)
        within = sql.eq("conversation_id", request.conversation_id)
        columns, heavy = ("id", "item"), ("item",)
        rows, has_more = await read_page(
            self._store, ITEMS, request, within=within, where=_THERE, columns=columns, heavy=heavy
        )
        return json_page([msgspec.Raw(row["item"]) for row in rows], [row["id"] for row in rows], has_more=has_more)

    async def get_item(self, request: ItemRequest) -> Reply:
        """Raises NotFound."""
        is_there = sql.Select(CONVERSATIONS, sql.eq("id", request.conversation_id), ("id",))
        rows, seen = await self._mine().select_each(sql.Select(ITEMS, _is(request), ("item",)), is_there)
        if not seen:
            raise _unknown(request.conversation_id)
        if not rows:
            raise _unknown_item(request)
        return Reply(rows[0]["item"])

    async def delete_item(self, request: DeleteItemRequest) -> Conversation:
        """Raises NotFound."""
        row = await self._row(request.conversation_id)
        if await self._store.write(sql.Update(ITEMS, {"item": None}, _is(request))) == [0]:
            raise _unknown_item(request)
        return _shown(row)

    async def read_conversation(self, request: ReadConversation) -> WholeConversation:
        """Raises NotFound, TooLarge."""
        where = sql.eq("conversation_id", request.conversation_id) & _THERE
        if request.until is not None:
            where &= sql.at_most("position", request.until)
        is_there = sql.Select(CONVERSATIONS, sql.eq("id", request.conversation_id), ("id",))
        sizes = sql.Select(ITEMS, where, ("position",), sizes=("item",))
        sized, seen = await self._mine().select_each(sizes, is_there)
        if not seen:
            raise _unknown(request.conversation_id)
        if (size_bytes := sum(row[sql.SIZE] for row in sized)) > request.most_bytes:
            raise TooLarge(
                f"The conversation `{request.conversation_id}` is {size_bytes} bytes, and at most {request.most_bytes}"
                " are read at once",
                hint="delete some of its items, or continue with a new one",
                param="conversation_id",
            )
        last = sql.at_most("position", max((row["position"] for row in sized), default=0))
        rows = await self._store.select(sql.Select(ITEMS, where & last, ("position", "item"), ("position",)))
        whole = _to_items(b"[%b]" % b",".join([row["item"] for row in rows]))
        return WholeConversation(whole, rows[-1]["position"] if rows else 0, size_bytes)

    async def append_items(self, request: AppendItems) -> None:
        items = request.items
        if lost := [item["id"] for item in items if not is_addressable(item["id"])]:
            items = with_new_ids(items, lost, new_id)
        try:
            await self._append(request.conversation_id, items)
        except sql.Duplicate:
            taken = await self._taken(request.conversation_id, items)
            await self._append(request.conversation_id, with_new_ids(items, taken, new_id))

    async def _append(self, conversation_id: str, items: list[Json]) -> None:
        if not items:
            await self._row(conversation_id)
        elif not await self._appending.append(self._mine(), conversation_id, items):
            raise _unknown(conversation_id)

    async def _taken(self, conversation_id: str, items: list[Json]) -> set[str]:
        """The ids of a conversation's items that others have."""
        rows = await self._store.select(sql.Select(ITEMS, with_ids(conversation_id, items) & _THERE, ("id",)))
        return {row["id"] for row in rows}

    async def _row(self, conversation_id: str) -> sql.Row:
        """Raises NotFound, also for one that the caller does not see."""
        row = await self._mine().first(sql.Select(CONVERSATIONS, sql.eq("id", conversation_id), _SHOWN))
        if row is None:
            raise _unknown(conversation_id)
        return row


def _shown(row: sql.Row) -> Conversation:
    return Conversation(id=row["id"], created_at=row["created"], metadata=row["metadata"])


def _is(request: DeleteItemRequest) -> sql.Condition:
    return sql.eq("conversation_id", request.conversation_id) & sql.eq("id", request.item_id) & _THERE


def _unknown(conversation_id: str) -> NotFound:
    return NotFound(
        f"There is no conversation `{conversation_id[:100]}`",
        hint="`POST /v1/conversations` begins one",
        param="conversation_id",
        code="conversation_not_found",
    )


def _unknown_item(request: DeleteItemRequest) -> NotFound:
    return NotFound(
        f"The conversation `{request.conversation_id}` has no item `{request.item_id[:100]}`",
        param="item_id",
        code="item_not_found",
    )
