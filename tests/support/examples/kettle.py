"""An inference provider in this process with packages of its own, as those have that run models: what a recording of it
is, and what a replay is without it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, ClassVar

from runtime.apis._api import Api
from runtime.errors import RequestError
from runtime.provider import ListedModel, ProviderContext
from runtime.spec import inline
from runtime.sse import EventStream, Frames, Reply


class Kettle:
    """asked: what it was asked, by every one of them. released: the streams that were let go. fire: while there is one
    that is not lit, streams wait after the first word.
    """

    asked: ClassVar[list[Any]] = []
    released: ClassVar[list[str]] = []
    fire: ClassVar[asyncio.Event | None] = None

    def __init__(self, config: object, context: ProviderContext) -> None:
        """Nothing to do."""

    async def list_models(self) -> list[ListedModel]:
        return [ListedModel(provider_model_id="steam", model_type="llm", metadata={"context_length": 7})]

    async def chat_completion(self, request: Any) -> Reply | EventStream:
        body = request.wire()
        self.asked.append(body)
        text = body["messages"][-1]["content"]
        if text == "cold":
            raise RequestError("The kettle is cold", hint="light the fire", param="messages", code="cold")
        if not body.get("stream"):
            choice = {"index": 0, "message": {"role": "assistant", "content": f"{text}!"}, "finish_reason": "stop"}
            return Reply.of({"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "steam",
                             "choices": [choice]})  # fmt: skip

        async def frames() -> AsyncGenerator[Frames, None]:
            for place, word in enumerate((*text.split(), None)):
                if place == 1 and self.fire is not None:
                    await self.fire.wait()
                delta = {} if word is None else {"content": word}
                choice = {"index": 0, "delta": delta, "finish_reason": "stop" if word is None else None}
                yield Frames.of({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1,
                                 "model": "steam", "choices": [choice]})  # fmt: skip

        async def release() -> None:
            self.released.append(text)

        return EventStream(frames(), release)


APIS: tuple[Api, ...] = ()
SPECS = (
    (
        "inference",
        inline("kettle", summary="Boils", adapter="tests.support.examples.kettle:Kettle", packages=("kettle>=1",)),
    ),
)
