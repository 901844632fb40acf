"""A response being made: answered as a whole or as a stream, and kept before its end is told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from runtime.errors import StackError
from runtime.providers.responses.builtin.answering import interrupted
from runtime.providers.responses.builtin.keeping import Record
from runtime.providers.responses.builtin.preparing import Prepared
from runtime.sse import EventStream, Frames, Reply


class Making:
    """One response being made. record: where it is kept, None for one that is not."""

    def __init__(self, prepared: Prepared, record: Record | None) -> None:
        self._prepared = prepared
        self._answering = prepared.answering
        self._loop = prepared.loop
        self._record = record
        self._is_kept = record is None and prepared.history.conversation is None
        self._ending: asyncio.Future[None] | None = None

    async def whole(self) -> Reply:
        """The response, once it has ended and is kept. Raises what the model's provider raises before it answers."""
        async for _ in self._loop.run(await self._loop.begin()):  # which ends by itself: nothing else happens here
            pass
        if self._prepared.history.conversation is None and self._record is not None:
            return Reply(await self._record.end())  # one write, which nobody who leaves can undo
        await self._keep()
        return Reply.of(self._answering.response)

    async def stream(self) -> EventStream:
        """Its events. It is kept from before the first one, and its end is on disk before the last one is sent."""
        answer = await self._loop.begin()
        try:
            if self._record is not None:
                await self._record.begin()
        except BaseException:
            if isinstance(answer, EventStream):
                await answer.aclose()
            raise

        async def close() -> None:
            if isinstance(answer, EventStream):
                await answer.aclose()
            if not self._answering.has_ended:
                interrupted(self._answering.response)
            if not self._is_kept:
                await self._keep()

        return EventStream(self._events(answer), close)

    async def nothing(self) -> EventStream:
        """The events of a response for which the model is not asked."""

        async def frames() -> AsyncGenerator[Frames, None]:
            self._answering.begin()
            self._answering.complete()
            await self._keep()
            if told := self._answering.take():
                yield told

        async def close() -> None:
            """There is nothing to release."""

        return EventStream(frames(), close)

    async def _events(self, answer: Reply | EventStream | None) -> AsyncGenerator[Frames, None]:
        async with contextlib.aclosing(self._loop.run(answer)) as running:
            async for frames in running:
                if self._answering.has_ended:
                    frames = await self._end(frames)
                yield frames

    async def _end(self, last: Frames) -> Frames:
        """Keep the response before its last events are sent. Returns these, or others if it cannot be kept."""
        try:
            await self._keep()
        except StackError as error:
            self._is_kept = True  # it cannot be: trying again when the stream is closed would only take time
            self._answering.fail(error)
        return self._answering.take() or last

    async def _keep(self) -> None:
        """Once, also if whoever waits for it leaves and it is asked for again."""
        if not self._is_kept:
            self._ending = self._ending or asyncio.ensure_future(self._join_and_record())
            await asyncio.shield(self._ending)
        self._is_kept = True

    async def _join_and_record(self) -> None:
        await self._prepared.join()
        if self._record is not None:
            await self._record.end()
