"""A response being made: answered as a whole or as a stream, and kept before its end is told."""

from __future__ import annotations

from runtime.errors import StackError
from runtime.providers.responses.builtin.answering import interrupted
from runtime.providers.responses.builtin.keeping import Record
from runtime.providers.responses.builtin.preparing import Prepared
from runtime.sse import End, EventStream, Frames, Reply
from runtime.to_the_end import to_the_end


class Making:
    """One response being made. record: where it is kept, None for one that is not."""

    def __init__(self, prepared: Prepared, record: Record | None) -> None:
        self._prepared = prepared
        self._answering = prepared.answering
        self._loop = prepared.loop
        self._record = record
        self._last: Frames | None = None

    async def whole(self) -> Reply:
        """The response, once it has ended and is kept. Raises what the model's provider raises before it answers."""
        async for _ in self._loop.run(await self._loop.begin()):  # which ends by itself: nothing else happens here
            pass
        if self._prepared.history.conversation is None and self._record is not None:
            return Reply(await self._record.end())  # one write, which nobody who leaves can undo
        await to_the_end(self._keep())
        return Reply.of(self._answering.response)

    async def stream(self) -> EventStream:
        """Its events. It is kept from before the first one, and its end is on disk before the last one is sent."""
        answer = await self._loop.begin()

        async def close() -> None:
            if isinstance(answer, EventStream):
                await answer.aclose()

        try:
            if self._record is not None:
                await self._record.begin()
        except BaseException:
            await close()
            raise
        return EventStream(self._loop.run(answer), close).through(self)

    async def nothing(self) -> Frames | None:
        """The events of a response for which the model is not asked. Raises Unavailable if it cannot be kept."""
        self._answering.begin()
        self._answering.complete()
        await to_the_end(self._keep())
        return self._answering.take()

    async def read(self, frames: Frames) -> Frames | None:
        """As a stage of its events: the last ones are held back until it is kept."""
        if not self._answering.has_ended:
            return frames
        self._last = frames
        return None

    async def ended(self, how: End, error: BaseException | None) -> Frames | None:
        """Keep it; its last events, or others if it cannot be kept."""
        if how != "complete":
            if not self._answering.has_ended:
                interrupted(self._answering.response)
            await self._keep()
            return None
        try:
            await self._keep()
        except StackError as failure:
            self._answering.fail(failure)
        return self._answering.take() or self._last

    async def _keep(self) -> None:
        await self._prepared.join()
        if self._record is not None:
            await self._record.end()
