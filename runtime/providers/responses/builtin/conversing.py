"""Responses over a WebSocket, one after the other.

The last one is remembered as long as the connection lasts, so that it can be continued though it is kept nowhere. One
that fails is not, and neither is what it continued: the next message has to bring the whole history, or a response that
is kept.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator

from runtime.apis.responses.events import error_event
from runtime.apis.responses.socket import SocketRequest
from runtime.errors import StackError
from runtime.ids import new_position
from runtime.providers.responses.builtin.answering import Answering
from runtime.providers.responses.builtin.history import Recalled
from runtime.providers.responses.builtin.keeping import Kept
from runtime.providers.responses.builtin.making import Making
from runtime.providers.responses.builtin.preparing import Prepared, Preparing
from runtime.providers.responses.builtin.shown import new_response
from runtime.sse import Frames, encode


class Conversing:
    """One connection."""

    def __init__(self, preparing: Preparing, kept: Kept) -> None:
        self._preparing = preparing
        self._kept = kept
        self._last: Recalled | None = None

    async def answer(self, requests: AsyncIterator[SocketRequest]) -> AsyncGenerator[Frames, None]:
        async for request in requests:
            last, self._last = self._last, None
            try:
                async for frames in self._events(request.changed(stream=True, background=None), last):
                    yield frames
            except StackError as error:
                yield Frames.of({"status": error.status, **error_event(error, b"")})

    async def _events(self, request: SocketRequest, last: Recalled | None) -> AsyncGenerator[Frames, None]:
        position = new_position()
        answering = Answering(new_response(request, position), position, streams=True)
        prepared = await self._preparing.prepare(request, self._kept.mine(), answering, recalled=last)
        record = self._kept.record(prepared) if request.store is not False else None
        making = Making(prepared, record)
        if request.generate is False:
            if frames := await making.nothing():
                yield frames
        else:
            async with contextlib.aclosing(await making.stream()) as stream:
                async for frames in stream:
                    yield frames
        self._last = _recalled(prepared, is_kept=record is not None)


def _recalled(prepared: Prepared, *, is_kept: bool) -> Recalled | None:
    """What is remembered of a response; None of one that failed."""
    response = prepared.answering.response
    if response["status"] == "failed":
        return None
    history = prepared.history
    items = [*history.items, *response["output"]]
    return Recalled(
        id=response["id"],
        items=items,
        size_bytes=len(encode(items)),
        ancestors=[*history.ancestors, response["id"]] if is_kept else None,
        readings=history.readings.remembered(),
    )
