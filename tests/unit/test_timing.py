"""Our own part of a request's time, without its waits for others."""

from __future__ import annotations

import pytest

from runtime import timing
from runtime.timing import Timing


class Clock:
    now = 100.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(timing, "time", clock)
    return clock


def test_a_wait_is_not_ours(clock: Clock) -> None:
    request = Timing()
    clock.now += 0.25
    with request:
        clock.now += 4
    clock.now += 0.25
    assert request.first_byte() == (500.0, 4000.0)
    assert request.overhead_ms == 500.0


def test_waits_at_the_same_time_count_once(clock: Clock) -> None:
    request = Timing()
    with request:
        clock.now += 1
        with request:
            clock.now += 1
        clock.now += 1
    clock.now += 0.5
    assert request.first_byte() == (500.0, 3000.0)


def test_a_wait_that_goes_on_counts_until_the_first_byte(clock: Clock) -> None:
    request = Timing()
    with request:
        clock.now += 2
        assert request.first_byte() == (0.0, 2000.0)


def test_what_is_waited_for_after_the_first_byte_counts_no_more(clock: Clock) -> None:
    request = Timing()
    with request:
        clock.now += 2
        told = request.first_byte()
        clock.now += 3
    with request:
        clock.now += 4
    assert (request.overhead_ms, request.waited_s * 1000) == told == (0.0, 2000.0)


def test_a_wait_that_fails_is_over(clock: Clock) -> None:
    request = Timing()
    with pytest.raises(ValueError), request:
        clock.now += 2
        raise ValueError
    clock.now += 1
    assert request.first_byte() == (1000.0, 2000.0)


def test_the_time_that_a_client_takes_is_not_ours(clock: Clock) -> None:
    request = Timing()
    clock.now += 3
    request.client_took(3)
    clock.now += 0.5
    assert request.first_byte() == (500.0, 0.0)


def test_what_a_client_sends_during_a_wait_is_not_taken_off_twice(clock: Clock) -> None:
    """An upload that is passed on while it arrives."""
    request = Timing()
    with request:
        clock.now += 3
        request.client_took(3)
    clock.now += 0.5
    assert request.first_byte() == (500.0, 3000.0)
