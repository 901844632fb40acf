"""The ways of naming what a response continues, each as one conversation that has turns."""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection

from runtime.conformance.asgi import LIMIT_S
from tests.conformance.responses.asking import MODEL, Asking, Json

ENDS = ("response.completed", "response.incomplete", "response.failed", "error")


@dataclass(frozen=True)
class Talk:
    """A WebSocket over which responses are asked for."""

    socket: ClientConnection

    async def turn(self, input: Any = "Hi", **fields: Any) -> list[Json]:
        """The events of one message."""
        await self.ask(input, **fields)
        events = [await self.event()]
        while events[-1]["type"] not in ENDS:
            events.append(await self.event())
        return events

    async def ask(self, input: Any = "Hi", **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": "response.create", "model": MODEL, "input": input, **fields}))

    async def event(self) -> Json:
        """The next one."""
        async with asyncio.timeout(LIMIT_S):
            event: Json = json.loads(await self.socket.recv())
        return event


@dataclass
class Way(ABC):
    """A conversation. streams: whether the next response is asked for as a stream. to_allow: the ids of the items of
    the last one that ask whether a call may be made.
    """

    asking: Asking
    streams: bool = False
    to_allow: list[str] = field(default_factory=list)

    @abstractmethod
    async def turn(self, items: list[Json], fields: Json) -> None:
        """Go on with these items."""

    def answering(self, items: list[Json]) -> list[Json]:
        """The items, in which answers name what they allow by its place, with the ids that these have here."""
        place = "approval_request_id"
        return [{**item, place: self.to_allow[item[place]]} if place in item else item for item in items]

    async def ask(self, items: list[Json], **fields: Any) -> Json:
        """The response."""
        if self.streams:
            return self.remember((await self.asking.streamed(items, **fields))[-1]["response"])
        return self.remember(await self.asking.whole(items, **fields))

    def remember(self, response: Json) -> Json:
        self.to_allow = [item["id"] for item in response["output"] if item["type"] == "mcp_approval_request"]
        return response


@dataclass
class ById(Way):
    """Each response names the one before."""

    previous: str | None = None

    async def turn(self, items: list[Json], fields: Json) -> None:
        self.previous = (await self.ask(items, previous_response_id=self.previous, **fields))["id"]


@dataclass
class ByConversation(Way):
    """All are in a conversation, kept themselves or not."""

    conversation: str | None = None

    async def turn(self, items: list[Json], fields: Json) -> None:
        if self.conversation is None:
            self.conversation = (await self.asking.client.post("/v1/conversations", {})).json()["id"]
        await self.ask(items, conversation=self.conversation, store=self.streams, **fields)


@dataclass
class ByItems(Way):
    """The caller keeps all items, and nothing is kept here."""

    history: list[Json] = field(default_factory=list)

    async def turn(self, items: list[Json], fields: Json) -> None:
        asked = [*self.history, *items]
        response = await self.ask(asked, store=False, include=["reasoning.encrypted_content"], **fields)
        self.history = [*asked, *self.remembered(response["output"])]

    def remembered(self, output: Sequence[Json]) -> list[Json]:
        """What the caller keeps of an output."""
        return [*output]


class ByBareItems(ByItems):
    """The caller keeps of items only what the API asks for, and of thoughts what it cannot read."""

    def remembered(self, output: Sequence[Json]) -> list[Json]:
        return [_bare(item) for item in output]


@dataclass
class ByReferences(Way):
    """The caller keeps the ids of items that are kept here."""

    history: list[Json] = field(default_factory=list)

    async def turn(self, items: list[Json], fields: Json) -> None:
        asked = [*self.history, *items]
        response = await self.ask(asked, **fields)
        self.history = [*asked, *({"type": "item_reference", "id": item["id"]} for item in response["output"])]


@dataclass
class BySocket(Way):
    """Over one WebSocket, which remembers the last response; where it is not kept, nothing else does."""

    talk: Talk | None = None
    previous: str | None = None

    async def turn(self, items: list[Json], fields: Json) -> None:
        assert self.talk is not None
        events = await self.talk.turn(items, previous_response_id=self.previous, store=self.streams, **fields)
        self.previous = self.remember(events[-1]["response"])["id"]


def _bare(item: Json) -> Json:
    if item["type"] == "mcp_approval_request":  # its answer names it
        return item
    kept = {name: value for name, value in item.items() if name not in ("id", "status")}
    if item["type"] == "reasoning":
        return kept | {"content": None}
    if item["type"] == "message":
        parts = ({name: part[name] for name in ("type", "text", "refusal") if name in part} for part in item["content"])
        return kept | {"content": [*parts]}
    return kept
