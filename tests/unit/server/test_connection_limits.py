"""What the limits of connections are computed from: time in which we read, and descriptors that there are."""

from __future__ import annotations

import time
from unittest import mock

import pytest

from runtime.server.descriptors import connections_within
from runtime.server.inflow import Flow
from runtime.server.pace import Pace


def test_the_time_in_which_we_do_not_read_is_not_the_client_s(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    flow = Flow(mock.Mock())
    pace = Pace(flow, least_rate=100, grace_s=10)
    flow.pause_reading()
    now += 500
    assert not pace.is_too_slow(0)
    flow.resume_reading()
    now += 15
    assert pace.is_too_slow(499) and not pace.is_too_slow(500)


@pytest.mark.parametrize(
    ("soft", "hard", "asked_for", "room"),
    [(1024, 8192, 4352, 2048), (1024, 2256, 2256, 1000), (10**6, 10**6, None, 2048), (100, 100, 100, 1)],
)
def test_there_are_no_more_connections_than_descriptors(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, asked_for: int | None, room: int
) -> None:
    resource = pytest.importorskip("resource")
    limits = [(soft, hard)]
    monkeypatch.setattr(resource, "getrlimit", lambda kind: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda kind, new: limits.append(new))
    assert connections_within(2048) == room
    assert limits[1:] == ([] if asked_for is None else [(asked_for, hard)])
