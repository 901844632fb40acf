"""Asks a stack for conversations and their items, and holds every answer to OpenAI's types."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from openai.types.conversations import Conversation, ConversationItemList, Message

from runtime.conformance.stacks import adapter_of
from runtime.providers.conversations.builtin.tables import SCHEMA
from runtime.stack.stack import Stack
from runtime.storage.sql import Row, Select
from tests.conformance.responses.asking import Asking

Json = dict[str, Any]
CONVERSATIONS = "/v1/conversations"


def said(text: str, **facts: Any) -> Json:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}], **facts}


def texts_of(items: Sequence[Json]) -> list[str]:
    return ["".join(part["text"] for part in item["content"]) for item in items]


@dataclass(frozen=True)
class Talking(Asking):
    """stack: behind the client."""

    stack: Stack

    async def done(self, method: str, path: str, body: Json | None = None) -> Any:
        answered = await self.client.request(method, CONVERSATIONS + path, json=body)
        assert answered.status == 200, (answered.status, answered.body)
        return answered.json()

    async def refused_with(self, status: int, method: str, path: str, body: Json | None = None) -> Json:
        """The error of an answer, which must have this status."""
        answered = await self.client.request(method, CONVERSATIONS + path, json=body)
        assert answered.status == status, (answered.status, answered.body)
        return answered.error

    async def begun(self, *items: Json, **facts: Any) -> str:
        """A new conversation; its id."""
        made = await self.done("POST", "", {"items": [*items], **facts})
        return Conversation.model_validate(made).id

    async def added(self, conversation_id: str, *items: Json) -> list[Json]:
        found = await self.done("POST", f"/{conversation_id}/items", {"items": [*items]})
        ConversationItemList.model_validate(found)
        added: list[Json] = found["data"]
        assert len(added) == len(items) and found["has_more"] is False
        return added

    async def page(self, conversation_id: str, **asked: Any) -> Json:
        query = "&".join(f"{name}={value}" for name, value in asked.items())
        page: Json = await self.done("GET", f"/{conversation_id}/items?{query}")
        ends = (
            {"first_id": "", "last_id": ""} if not page["data"] else {}
        )  # of an empty page, OpenAI's types say nothing
        for item in ConversationItemList.model_validate(page | ends).data:
            assert isinstance(item, Message) or item.type != "message"
        return page

    async def walked(self, conversation_id: str, *, order: str = "asc", limit: int = 100) -> list[Json]:
        """All items, page by page."""
        items: list[Json] = []
        asked: Json = {"order": order, "limit": limit}
        while True:
            page = await self.page(conversation_id, **asked)
            items += page["data"]
            if not page["has_more"]:
                return items
            asked["after"] = page["last_id"]

    async def rows(self) -> list[Row]:
        """Everything that is in the database, of every conversation."""
        store = adapter_of(self.stack, "conversations")._store
        return [row for table in SCHEMA.tables for row in await store.select(Select(table))]
