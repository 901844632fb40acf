"""What is counted: sums and distributions, each split by the values of its attributes, and what is looked up when it is
asked for. Knows no spans and no form in which it is read.

To add a value is a look into a dict, and to a distribution no more than to add it to a list: OpenTelemetry's own SDK
takes many times as long, which would be more than all of a span. Whoever adds to several at once keeps their series in
`Found`.
"""

from __future__ import annotations

from abc import abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, Literal, TypeVar

Kind = Literal["counter", "histogram", "gauge"]
Values = tuple[str | int, ...]
"""The value of each attribute, in their order; empty for one that is not there."""
MOST_SERIES = 2000
"""Of an instrument. What is more is counted in one, as in OpenTelemetry's SDK:
https://opentelemetry.io/docs/specs/otel/metrics/sdk/#cardinality-limits
"""
OVERFLOW = "otel.metric.overflow"
LONGEST = 200
"""Of a value, in characters."""


class Series:
    """What has one set of values. labels: the attributes that are there, each with its value."""

    __slots__ = ("labels",)

    def __init__(self, labels: Sequence[tuple[str, str]]) -> None:
        self.labels = tuple(labels)


class Sum(Series):
    __slots__ = ("value",)

    def __init__(self, labels: Sequence[tuple[str, str]], value: float = 0) -> None:
        super().__init__(labels)
        self.value = value


class Distribution(Series):
    """record: takes a value; extend: takes many. What was recorded is put into buckets, many values at once, when it
    is read, and by whoever calls `fold` before there are too many.
    """

    __slots__ = ("_bounds", "_counts", "_recorded", "_total", "extend", "record")

    def __init__(self, labels: Sequence[tuple[str, str]], bounds: Sequence[float]) -> None:
        super().__init__(labels)
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0.0
        self._recorded: list[float] = []
        self.record, self.extend = self._recorded.append, self._recorded.extend

    @property
    def counts(self) -> Sequence[int]:
        """Of each bucket by itself, the last one without a bound."""
        self.fold()
        return self._counts

    @property
    def total(self) -> float:
        """The sum of what was recorded."""
        self.fold()
        return self._total

    def fold(self) -> None:
        recorded = self._recorded
        if not recorded:
            return
        recorded.sort()
        self._total += sum(recorded)
        before = 0
        for bucket, bound in enumerate(self._bounds):
            until = bisect_right(recorded, bound, before)
            self._counts[bucket] += until - before
            before = until
            if before == len(recorded):
                break
        self._counts[-1] += len(recorded) - before
        recorded.clear()


S = TypeVar("S", bound=Series)


class Instrument:
    """name, unit: as OpenTelemetry has them; the unit is of UCUM, https://ucum.org. attributes: what it is split by."""

    kind: Kind

    def __init__(self, name: str, unit: str, description: str, attributes: Sequence[str]) -> None:
        self.name = name
        self.unit = unit
        self.description = description
        self.attributes = tuple(attributes)

    @abstractmethod
    def series(self) -> Iterable[Series]:
        """All there is now."""


class _Kept(Instrument, Generic[S]):
    def __init__(self, name: str, unit: str, description: str, attributes: Sequence[str]) -> None:
        super().__init__(name, unit, description, attributes)
        self._series: dict[Values, S] = {}
        self._overflow: S | None = None

    @abstractmethod
    def _make(self, labels: Sequence[tuple[str, str]]) -> S: ...

    def series(self) -> Iterator[S]:
        yield from self._series.values()
        if self._overflow is not None:
            yield self._overflow

    def of(self, values: Values) -> S:
        """The series of some values; the one for all the others where there are too many."""
        return self._series.get(values) or self._new(values)

    def _new(self, values: Values) -> S:
        cut = tuple(value[:LONGEST] if isinstance(value, str) else value for value in values)
        if (found := self._series.get(cut)) is not None:
            return found
        if len(self._series) < MOST_SERIES:
            named = zip(self.attributes, cut, strict=True)
            made = self._series[cut] = self._make([(name, str(value)) for name, value in named if value != ""])
            return made
        if self._overflow is None:
            self._overflow = self._make([(OVERFLOW, "true")])
        return self._overflow


class Counter(_Kept[Sum]):
    """What only grows."""

    kind = "counter"

    def add(self, values: Values, amount: float = 1) -> None:
        self.of(values).value += amount

    def _make(self, labels: Sequence[tuple[str, str]]) -> Sum:
        return Sum(labels)


class Histogram(_Kept[Distribution]):
    """How often something was how large. bounds: the greatest value of each bucket but the last one, ascending."""

    kind = "histogram"

    def __init__(
        self, name: str, unit: str, description: str, attributes: Sequence[str], bounds: Sequence[float]
    ) -> None:
        super().__init__(name, unit, description, attributes)
        self.bounds = tuple(map(float, bounds))

    def record(self, values: Values, value: float) -> None:
        self.of(values).record(value)

    def fold(self) -> None:
        """See `Distribution`."""
        for one in super().series():
            one.fold()

    def _make(self, labels: Sequence[tuple[str, str]]) -> Distribution:
        return Distribution(labels, self.bounds)


class Observed(Instrument):
    """What is looked up when it is asked for. look: the values of the attributes, and what there is of them; soon, and
    without waiting for anything. only_grows: whether it is a count since the start.
    """

    def __init__(
        self,
        name: str,
        unit: str,
        description: str,
        attributes: Sequence[str],
        look: Callable[[], Iterable[tuple[Values, float]]],
        *,
        only_grows: bool = False,
    ) -> None:
        super().__init__(name, unit, description, attributes)
        self.kind: Kind = "counter" if only_grows else "gauge"
        self._look = look

    def series(self) -> Iterator[Sum]:
        for values, value in self._look():
            labels = [(name, str(one)[:LONGEST]) for name, one in zip(self.attributes, values, strict=True)]
            yield Sum(labels, value)
