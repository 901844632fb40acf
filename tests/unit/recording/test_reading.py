"""An answer that is read by itself, beside whoever reads along."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress

import pytest

from runtime.recording.reading import Reading


class Source:
    """Two pieces; the second once `gate` is open, and after it the error, if there is one."""

    def __init__(self, error: Exception | None = None) -> None:
        self.gate = asyncio.Event()
        self.waits = asyncio.Event()
        self._error = error

    async def pieces(self) -> AsyncGenerator[str, None]:
        yield "one"
        self.waits.set()
        await self.gate.wait()
        yield "two"
        if self._error is not None:
            raise self._error


async def test_whoever_leaves_while_waiting_takes_nothing_with_them() -> None:
    source, ends = Source(), list[BaseException | None]()
    reading = Reading(source.pieces(), ends.append)
    assert await anext(reading) == "one"
    waiting = asyncio.ensure_future(anext(reading))
    await source.waits.wait()
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting
    source.gate.set()
    assert [piece async for piece in reading] == ["two"]
    assert [piece for _, piece in reading.came] == ["one", "two"] and ends == [None]


async def test_an_error_comes_after_what_came_and_each_time_that_is_asked() -> None:
    error, ends = ConnectionError("gone"), list[BaseException | None]()
    source = Source(error)
    source.gate.set()
    reading = Reading(source.pieces(), ends.append)
    assert [await anext(reading), await anext(reading)] == ["one", "two"]
    for _ in range(2):
        with pytest.raises(ConnectionError, match="gone"):
            await anext(reading)
    await reading.stop()
    assert ends == [error]


@pytest.mark.parametrize("has_begun", [True, False])
async def test_what_is_stopped_is_over_and_its_source_is_free(has_begun: bool) -> None:
    source, ends = Source(), list[BaseException | None]()
    pieces = source.pieces()
    reading = Reading(pieces, ends.append)
    if has_begun:
        await anext(reading)
        await source.waits.wait()
    await reading.stop()
    assert reading.is_over and [type(end) for end in ends] == [asyncio.CancelledError]
    await pieces.aclose()  # raises RuntimeError while somebody reads
