"""Since when something does not work, in words."""

from __future__ import annotations

import time

import pytest

from runtime.outage import Outage


@pytest.mark.parametrize(
    ("ago_s", "words"),
    [
        (0, "1 second"),
        (45.5, "45 seconds"),
        (60, "1 minute"),
        (185, "3 minutes"),
        (7_300, "2 hours"),
        (90_000, "1 day"),
        (-5, "1 second"),  # a clock that was set back
    ],
)
def test_it_says_when_and_how_long_ago(monkeypatch: pytest.MonkeyPatch, ago_s: float, words: str) -> None:
    began = 1_795_676_591.0
    monkeypatch.setattr(time, "time", lambda: began + ago_s)
    assert str(Outage(reason="no answer", since=began)) == f"no answer (since 2026-11-26T07:03:11Z, {words} ago)"
