"""How long a streamed answer took: kept as `timing` of a recording (`documents.py`), and taken again in a replay."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable

from runtime.sse import Json


def timing_of(began: float, reads: Iterable[tuple[float, int]]) -> Json:
    """The timing of an answer. began: when it was asked for. reads: for each read, when it came and how many events
    ended with it. Moments are in seconds.
    """
    first: float | None = None
    times: list[int] = []
    for at, count in reads:
        if first is None:
            first = at
        times += [round((at - first) * 1000)] * count
    return {"began_ms": 0 if first is None else round((first - began) * 1000), "events_ms": times}


async def in_time(answer: Json, *, is_timed: bool) -> AsyncGenerator[Json, None]:
    """The events of a recorded answer: each when its time has come, or all at once."""
    timing: Json = (answer.get("timing") or {}) if is_timed else {}
    if "began_ms" in timing:
        await asyncio.sleep(timing["began_ms"] / 1000)
    times = timing.get("events_ms") or []
    passed_ms = 0.0
    for place, event in enumerate(answer["events"]):
        if place < len(times):
            await asyncio.sleep(max(0.0, times[place] - passed_ms) / 1000)
            passed_ms = times[place]
        yield event
