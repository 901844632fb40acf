"""What is counted is split by its attributes, and never by too many."""

from __future__ import annotations

from runtime.telemetry.found import Found
from runtime.telemetry.metrics.instruments import LONGEST, MOST_SERIES, Counter, Histogram, Observed


def test_a_value_goes_into_the_first_bucket_that_it_does_not_exceed() -> None:
    histogram = Histogram("a", "s", "", ("by",), (1, 2, 5))
    for value in (0.5, 1, 1.5, 5, 6, 7):
        histogram.record(("x",), value)
    [series] = histogram.series()
    assert (series.counts, series.total, series.labels) == ([2, 1, 1, 2], 21.0, (("by", "x"),))


def test_an_attribute_that_is_not_there_is_no_label() -> None:
    counter = Counter("a", "1", "", ("error.type", "status"))
    counter.add(("", 200))
    counter.add(("timeout", 0), 3)
    assert [(series.labels, series.value) for series in counter.series()] == [
        ((("status", "200"),), 1),
        ((("error.type", "timeout"), ("status", "0")), 3),
    ]


def test_a_long_value_is_cut_and_those_that_are_alike_then_are_one() -> None:
    counter = Counter("a", "1", "", ("by",))
    for end in "xyx":
        counter.add(("a" * LONGEST + end,))
    assert [(series.labels, series.value) for series in counter.series()] == [((("by", "a" * LONGEST),), 3)]


def test_more_series_than_there_may_be_are_counted_in_one() -> None:
    counter, histogram = Counter("a", "1", "", ("by",)), Histogram("b", "s", "", ("by",), (1,))
    for instrument in (counter.add, histogram.record):
        for place in range(MOST_SERIES + 10):
            instrument((str(place),), 1)
        instrument(("0",), 1)
    first, *_, last = counter.series()
    assert (first.value, last.labels, last.value) == (2, (("otel.metric.overflow", "true"),), 10)
    assert len([*counter.series()]) == MOST_SERIES + 1
    first_counts, *_, last_counts = (series.counts for series in histogram.series())
    assert (first_counts, last_counts) == ([2, 0], [10, 0])


def test_what_is_looked_at_is_what_there_is_at_that_moment() -> None:
    there: list[tuple[tuple[str, ...], float]] = []
    gauge = Observed("a", "1", "", ("by",), lambda: there)
    assert [*gauge.series()] == []
    there.append((("x",), 4))
    assert [(series.labels, series.value) for series in gauge.series()] == [((("by", "x"),), 4)]
    assert (gauge.kind, Observed("b", "1", "", (), list, only_grows=True).kind) == ("gauge", "counter")


def test_what_was_looked_up_is_forgotten_before_it_is_too_much() -> None:
    asked: list[int] = []
    found: Found[int, int] = Found(lambda key: asked.append(key) or key)
    for key in [*range(MOST_SERIES + 1), 0, 0]:
        assert found[key] == key
    assert (len(asked), len(found)) == (MOST_SERIES + 2, 2)
