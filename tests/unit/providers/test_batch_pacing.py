"""How many requests of batches a provider is asked at once, by a clock that stands still until somebody sleeps."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from runtime.providers._background.pacing import FIRST_PAUSE_S, LONGEST_PAUSE_S, LONGEST_WAIT_S, Pace, Place


class Clock:
    """now: in seconds. slept: the pauses, in order."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    async def sleep(self, pause_s: float) -> None:
        self.slept.append(pause_s)
        self.now += pause_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def paced(clock: Clock, most: int) -> Pace:
    return Pace(most, clock=lambda: clock.now, sleep=clock.sleep)


async def taken(pace: Pace, held: AsyncExitStack, count: int) -> list[Place]:
    return [await held.enter_async_context(pace.place()) for _ in range(count)]


async def refused(pace: Pace, *, wait_s: float | None = None) -> None:
    async with pace.place() as place:
        pace.refused(place, wait_s=wait_s)


async def test_no_more_than_the_limit_have_places(clock: Clock) -> None:
    pace, waits = paced(clock, 3), asyncio.Event()

    async def one() -> None:
        async with pace.place():
            waits.set()

    async with AsyncExitStack() as held:
        await taken(pace, held, 3)
        fourth = asyncio.create_task(one())
        await asyncio.sleep(0)
        assert not waits.is_set()
    await fourth
    assert waits.is_set() and clock.slept == []


async def test_one_who_leaves_while_waiting_takes_no_place(clock: Clock) -> None:
    pace = paced(clock, 1)
    async with AsyncExitStack() as held:
        await taken(pace, held, 1)
        waiting = asyncio.create_task(refused(pace))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    async with AsyncExitStack() as held:
        await taken(pace, held, 1)


async def test_a_refusal_halves_the_limit_and_pauses_as_long_as_it_says(clock: Clock) -> None:
    pace = paced(clock, 8)
    await refused(pace, wait_s=7)
    assert pace.limit == 4 and clock.slept == []
    async with pace.place():
        assert clock.slept == [7]


async def test_what_was_asked_before_is_part_of_the_same_refusal(clock: Clock) -> None:
    pace = paced(clock, 8)
    async with AsyncExitStack() as held:
        for place in await taken(pace, held, 8):
            pace.refused(place, wait_s=None)
    assert pace.limit == 4
    await refused(pace)
    assert pace.limit == 2 and clock.slept == [FIRST_PAUSE_S]


async def test_the_longest_wait_that_is_said_counts(clock: Clock) -> None:
    pace = paced(clock, 8)
    async with AsyncExitStack() as held:
        first, second, third = await taken(pace, held, 3)
        pace.refused(first, wait_s=2)
        pace.refused(second, wait_s=9)
        pace.refused(third, wait_s=1)
    async with pace.place():
        assert clock.slept == [9]


async def test_the_limit_is_never_less_than_one(clock: Clock) -> None:
    pace = paced(clock, 4)
    for _ in range(10):
        await refused(pace, wait_s=0)
    assert pace.limit == 1


async def test_pauses_grow_until_something_is_answered(clock: Clock) -> None:
    pace = paced(clock, 2)
    for _ in range(9):
        await refused(pace)
    assert clock.slept == [1, 2, 4, 8, 16, 32, LONGEST_PAUSE_S, LONGEST_PAUSE_S]
    pace.answered()
    await refused(pace)
    clock.slept.clear()
    async with pace.place():
        assert clock.slept == [FIRST_PAUSE_S]


async def test_the_limit_grows_by_one_for_as_many_answers_as_it_is_and_no_higher_than_at_first(clock: Clock) -> None:
    pace = paced(clock, 8)
    await refused(pace, wait_s=0)
    grown = [4]
    for _ in range(40):
        pace.answered()
        if pace.limit != grown[-1]:
            grown.append(pace.limit)
    assert grown == [4, 5, 6, 7, 8]
    fresh = paced(clock, 8)
    await refused(fresh, wait_s=0)
    for _ in range(4):
        fresh.answered()
    assert fresh.limit == 4
    for _ in range(1):
        fresh.answered()
    assert fresh.limit == 5


@pytest.mark.parametrize("wait_s", [1e9, float("inf")])
async def test_nobody_waits_for_ever(clock: Clock, wait_s: float) -> None:
    pace = paced(clock, 2)
    await refused(pace, wait_s=wait_s)
    async with pace.place():
        assert clock.slept == [LONGEST_WAIT_S]
