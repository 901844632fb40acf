"""Durations as an engine keeps them, and its figures by name."""

from __future__ import annotations

import pytest

from runtime.engine.requests.messages import EngineStats
from runtime.engine.requests.metrics import Histogram, Metrics


def test_quantiles_are_at_most_a_quarter_too_high_and_never_beyond_the_longest() -> None:
    histogram = Histogram()
    assert histogram.quantile(0.5) == 0
    for milliseconds in range(1, 1001):
        histogram.add(milliseconds / 1000)
    assert 0.5 <= histogram.quantile(0.5) <= 0.5 * 1.26
    assert 0.95 <= histogram.quantile(0.95) <= 1.0
    assert (histogram.quantile(1), histogram.longest_s, histogram.count) == (1.0, 1.0, 1000)
    assert histogram.total_s == pytest.approx(500.5)
    histogram.add(1e6)
    assert histogram.quantile(1) == histogram.longest_s == 1e6


def test_an_engine_that_has_done_nothing_has_all_its_figures() -> None:
    assert set(Metrics().figures(EngineStats()).values()) == {0}
