"""The limit of the silence between two reads."""

from __future__ import annotations

import asyncio

from runtime.http.live.silence import Silence

_LIMIT_S = 0.05


async def test_a_read_that_waits_too_long_is_ended() -> None:
    ended = asyncio.Event()
    silence = Silence(_LIMIT_S, ended.set)
    began = asyncio.get_running_loop().time()
    silence.begin()
    await asyncio.wait_for(ended.wait(), 5)
    assert asyncio.get_running_loop().time() - began >= _LIMIT_S - 0.002


async def test_the_limit_begins_again_with_each_read() -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    silence = Silence(_LIMIT_S, ended.set)
    for _ in range(4):
        silence.begin()
        await asyncio.sleep(_LIMIT_S / 2)
        if ended.is_set():  # this machine was held up for longer than the limit
            return
        silence.heard()
    last = loop.time()
    silence.begin()
    await asyncio.wait_for(ended.wait(), 5)
    assert loop.time() - last >= _LIMIT_S - 0.002


async def test_the_time_between_two_reads_does_not_count() -> None:
    ended = asyncio.Event()
    silence = Silence(_LIMIT_S, ended.set)
    silence.begin()
    silence.heard()
    await asyncio.sleep(3 * _LIMIT_S)
    silence.stop()
    assert not ended.is_set()
