"""One clock tells everybody the time: whoever sets it sets dates, and ids too."""

from __future__ import annotations

import time

import pytest

from runtime.clock import local_now, utc_now, wall_time
from runtime.ids import new_id, new_position, ordered_id, position_in
from runtime.outage import Outage

IN_2100 = 4_102_444_800.25


def test_who_sets_the_clock_sets_what_is_told_and_made_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.ids._last_position", 0)
    monkeypatch.setattr(time, "time", lambda: IN_2100)
    assert wall_time() == IN_2100
    assert utc_now().isoformat() == "2100-01-01T00:00:00.250000+00:00"
    assert position_in(ordered_id("resp_", new_position())) == IN_2100 * 1_000_000
    assert "(since 2099-12-31T23:59:00Z, 1 minute ago)" in str(Outage(reason="it is down", since=IN_2100 - 60))


def test_only_an_id_of_our_form_has_a_position() -> None:
    id = ordered_id("resp_", position := new_position())
    assert position_in(id) == position_in(id.removeprefix("resp_")) == position_in(id + new_id("")) == position
    assert [position_in(other) for other in (id + "\n", id + "a", id[:-1], id.replace("_", "."))] == [None] * 4


def test_the_local_date_is_by_the_zone_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: IN_2100)
    monkeypatch.setenv("TZ", "UTC-2")  # as POSIX has it: two hours before UTC
    time.tzset()
    try:
        assert local_now().isoformat() == "2100-01-01T02:00:00.250000+02:00"
    finally:
        monkeypatch.undo()
        time.tzset()
