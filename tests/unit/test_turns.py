"""Turns: one at a time at each thing, and nothing is kept of a thing that nobody works on."""

from __future__ import annotations

import asyncio

from runtime.turns import Turns


async def test_one_at_a_time_works_on_a_thing_and_others_on_theirs() -> None:
    turns, order = Turns(), list[str]()

    async def work(key: str, name: str) -> None:
        async with turns.of(key):
            order.append(f"{name} begins")
            await asyncio.sleep(0)
            order.append(f"{name} ends")

    await asyncio.gather(work("a", "first"), work("a", "second"), work("b", "other"))
    alone = [said for said in order if not said.startswith("other")]
    assert alone == ["first begins", "first ends", "second begins", "second ends"]
    assert order.index("other begins") < order.index("first ends")
    assert not turns._locks
