"""Loading one after the other, but not for ever."""

from __future__ import annotations

import asyncio

import pytest

from runtime.providers.inference import _turns
from runtime.providers.inference._turns import one_at_a_time


async def load(name: str, log: list[str], until: asyncio.Event | None = None) -> None:
    async with one_at_a_time():
        log.append(f"{name} begins")
        if until is not None:
            await until.wait()
        log.append(f"{name} ends")


async def test_one_is_loaded_after_the_other_in_the_order_of_asking() -> None:
    log: list[str] = []
    gate = asyncio.Event()
    async with asyncio.timeout(20):
        tasks = [asyncio.create_task(load(name, log, gate)) for name in "ab"]
        while not log:
            await asyncio.sleep(0)
        gate.set()
        await asyncio.gather(*tasks)
    assert log == ["a begins", "a ends", "b begins", "b ends"]


async def test_nobody_waits_for_a_large_one_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_turns, "_PATIENCE_S", 0.01)
    log: list[str] = []
    gate = asyncio.Event()
    async with asyncio.timeout(20):
        large = asyncio.create_task(load("large", log, gate))
        while not log:
            await asyncio.sleep(0)
        await load("small", log)
        gate.set()
        await large
        await load("last", log)
    assert log == ["large begins", "small begins", "small ends", "large ends", "last begins", "last ends"]


async def test_who_leaves_while_waiting_holds_nobody_up() -> None:
    log: list[str] = []
    gate = asyncio.Event()
    async with asyncio.timeout(20):
        first = asyncio.create_task(load("first", log, gate))
        while not log:
            await asyncio.sleep(0)
        leaving = asyncio.create_task(load("leaving", log))
        await asyncio.sleep(0)
        leaving.cancel()
        gate.set()
        await first
        await load("last", log)
        assert leaving.cancelled()
    assert log == ["first begins", "first ends", "last begins", "last ends"]
