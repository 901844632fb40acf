"""How fast something happens, and how long who comes too early has to wait. A clock of the test's own."""

from __future__ import annotations

import pytest

from runtime.engine.requests.rate import Rate
from runtime.engine.requests.waiting_room import WaitingRoom
from runtime.errors import RateLimited


class Clock:
    def __init__(self) -> None:
        self.now = 1000.05

    def __call__(self) -> float:
        return self.now


def test_a_rate_is_of_the_last_seconds() -> None:
    clock = Clock()
    rate = Rate(10, clock)
    assert rate.per_second() == 0
    for _ in range(5):
        rate.add(4)
        clock.now += 1
    assert rate.per_second() == pytest.approx(4)  # five seconds are all there is so far
    for _ in range(30):
        rate.add(8)
        clock.now += 1
    assert rate.per_second() == pytest.approx(8, rel=0.1)
    clock.now += 5
    assert rate.per_second() == pytest.approx(4, rel=0.2)
    clock.now += 100
    assert rate.per_second() == 0


def test_who_comes_when_all_is_full_is_told_how_long_it_will_be() -> None:
    clock = Clock()
    room = WaitingRoom("m", places=8, size=1000, unit="texts", size_unit="tokens", clock=clock)

    def told(places: int, size: int = 0) -> str:
        with pytest.raises(RateLimited) as refused:
            room.enter(places, size)
        return refused.value.headers["retry-after"]

    room.enter(8, 900)
    assert told(1) == "5"  # nothing has left yet
    for _ in range(30):  # one leaves every other second
        clock.now += 2
        room.leave(1, 100)
        room.enter(1, 100)
    assert 1 <= int(told(1)) <= 3
    assert 10 <= int(told(6)) <= 14
    assert 9 <= int(told(0, 600)) <= 12
    clock.now += 1000
    assert told(1) == "5"
    room.leave(1, 0)
    room.enter(1, 0)
    clock.now += 50
    assert told(8) == "120"
