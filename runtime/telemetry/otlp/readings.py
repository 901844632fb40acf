"""What instruments say at one moment, as plain data that a thread may read, taken again and again on the event loop.

Knows instruments by their shape alone: what is counted, and how, is told in `runtime.telemetry.metrics`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from runtime.clock import machine_time
from runtime.telemetry.otlp.sending import Sender

Kind = Literal["counter", "histogram", "gauge"]


class Instrument(Protocol):
    """series: each with `labels`; a histogram's with `counts` and `total`, any other's with `value`. A histogram has
    `bounds` too.
    """

    name: str
    unit: str
    description: str

    @property
    def kind(self) -> Kind: ...

    def series(self) -> Iterable[Any]: ...


@dataclass(frozen=True, slots=True)
class Reading:
    """series: of each, the labels, and its value, or the counts of its buckets and their sum."""

    name: str
    unit: str
    description: str
    kind: Kind
    bounds: tuple[float, ...]
    series: Sequence[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """began, taken: seconds since 1970; since when it is counted, and when this was read."""

    began: float
    taken: float
    readings: Sequence[Reading]


class RegularReadings:
    """Reads instruments every so often, and puts what they say to some senders."""

    def __init__(self, senders: Sequence[Sender[Snapshot]], every_s: float) -> None:
        self._senders = senders
        self._every_s = every_s
        self._began = machine_time()

    @asynccontextmanager
    async def of(self, instruments: Callable[[], Iterable[Instrument]]) -> AsyncIterator[None]:
        """Meanwhile, and once more at the end. instruments: all there are; asked for each time."""
        reading = asyncio.create_task(self._run(instruments), name="read what is counted")
        try:
            yield
        finally:
            reading.cancel()
            await asyncio.wait({reading})
            self._put(instruments)
            await asyncio.gather(*(asyncio.to_thread(sender.close) for sender in self._senders))

    async def _run(self, instruments: Callable[[], Iterable[Instrument]]) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            self._put(instruments)

    def _put(self, instruments: Callable[[], Iterable[Instrument]]) -> None:
        read = [reading for reading in map(_reading, instruments()) if reading.series]
        snapshot = Snapshot(self._began, machine_time(), read)
        for sender in self._senders if read else ():
            sender.put((snapshot,))


def _reading(instrument: Instrument) -> Reading:
    is_distribution = instrument.kind == "histogram"
    bounds: tuple[float, ...] = getattr(instrument, "bounds", ())
    series = [
        (one.labels, [*one.counts], one.total) if is_distribution else (one.labels, one.value)
        for one in instrument.series()
    ]
    return Reading(instrument.name, instrument.unit, instrument.description, instrument.kind, bounds, series)
