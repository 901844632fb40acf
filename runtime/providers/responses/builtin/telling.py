"""The events of responses that are made in the background: kept as they come, and told to whoever follows one."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import defaultdict
from collections.abc import AsyncGenerator

from runtime.apis.responses.events import last_number
from runtime.providers.responses.builtin.answering import RUNS
from runtime.providers.responses.builtin.tables import EVENTS, RESPONSES
from runtime.sse import Frames, encode, raw_members
from runtime.storage.sql import Insert, Row, Select, SqlStore, above, eq

_POLLED_S = 0.5
"""How long events of another process may wait unseen; those of this one are told at once."""
_MOST_ROWS = 200
_number = re.compile(rb'"sequence_number":(\d+)').search


class Telling:
    """store: of all users: who may follow a response is asked before."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store
        self._news: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    async def keep(self, response_id: str, frames: Frames) -> None:
        """The next events, on disk when it returns. Raises Stale if the response was deleted, Unavailable."""
        await self._store.write(*rows_of(response_id, frames))
        self.tell(response_id)

    async def has_events(self, response_id: str) -> bool:
        """Whether there is something to follow. Raises Unavailable."""
        return await self._store.first(Select(EVENTS, eq("response_id", response_id), ("number",))) is not None

    def tell(self, response_id: str) -> None:
        """There is something new, events or the response's end."""
        if (news := self._news.pop(response_id, None)) is not None:
            news.set()

    async def follow(self, response_id: str, after: int) -> AsyncGenerator[Frames, None]:
        """The events with a greater number than `after`, until the response has ended. Raises Unavailable."""
        read = -1  # the greatest number of a row that was told
        last = b""
        try:
            while True:
                news = self._news[response_id]
                state = await self._store.first(Select(RESPONSES, eq("id", response_id), ("status",)))
                where = eq("response_id", response_id) & above("number", read)
                rows = await self._store.select(Select(EVENTS, where, ("number", "data"), ("number",), _MOST_ROWS))
                for row in rows:
                    read, last = row["number"], row["data"]
                    if events := _behind(row["data"], after):
                        yield Frames(events)
                if rows:
                    continue
                if state is None or state["status"] not in RUNS:
                    break
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_POLLED_S):
                        await news.wait()
        finally:
            self.tell(response_id)  # whoever else follows it looks again; nothing of it stays here
        ended = await self._store.first(Select(RESPONSES, eq("id", response_id), ("status", "response")))
        if ended is not None and (end := _end(ended, last)):
            yield end


def rows_of(response_id: str, frames: Frames | None) -> list[Insert]:
    """What is to be written of events, which may be none. Whoever writes it tells of it."""
    if frames is None:
        return []
    row = {"response_id": response_id, "number": _first_number(frames.data), "data": frames.data}
    return [Insert(EVENTS, row, replace=())]


def _end(row: Row, last: bytes) -> Frames | None:
    """The event of the end, where whoever made the response could not tell of it. last: the last events."""
    kind = b"response." + row["status"].encode()
    if row["status"] == "cancelled" or b"event: " + kind + b"\n" in last:
        return None
    number = last_number(last) + 1
    response = raw_members(b'{"response":' + row["response"] + b"}")["response"]
    event = encode({"type": kind.decode(), "sequence_number": number, "response": response})
    return Frames(b"event: %b\ndata: %b\n\n" % (kind, event))


def _first_number(data: bytes) -> int:
    found = _number(data)
    assert found is not None, "every event has a number"
    return int(found[1])


def _behind(data: bytes, after: int) -> bytes:
    """The events with greater numbers."""
    if _first_number(data) > after:
        return data
    events = [event for event in data.split(b"\n\n") if event and _first_number(event) > after]
    return b"".join(event + b"\n\n" for event in events)
