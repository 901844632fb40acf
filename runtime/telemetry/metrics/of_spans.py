"""Counts the spans that have ended, also those of traces that are not sampled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from runtime.telemetry import conventions as names
from runtime.telemetry.found import Found
from runtime.telemetry.metrics import values as also
from runtime.telemetry.metrics.instruments import Distribution, Histogram, Instrument
from runtime.telemetry.metrics.of_models import Models
from runtime.telemetry.metrics.of_requests import Attempts, Operations, Requests
from runtime.telemetry.metrics.of_responses import Responses
from runtime.telemetry.metrics.of_stores import Stores
from runtime.telemetry.metrics.of_tools import ExecutedTools, Tools
from runtime.telemetry.metrics.values import text
from runtime.telemetry.operation import EXECUTE_TOOL
from runtime.telemetry.spans import Span

_MOST_UNFOLDED = 20_000
"""Spans whose durations and tokens may wait to be put into buckets."""


class _Counts(Protocol):
    """Some kind of spans."""

    instruments: tuple[Instrument, ...]

    def count(self, span: Span, seconds: float) -> None: ...


class SpanMetrics:
    """Implements `Exporter`. operations: of each method and route, the API and its operation; asked for once, when the
    first request is counted.
    """

    def __init__(self, operations: Callable[[], Operations] = dict) -> None:
        self._requests, self._attempts, self._executed = Requests(operations), Attempts(), ExecutedTools()
        self._by_api: dict[object, _Counts] = {
            "inference": Models(),
            "tool_runtime": Tools(),
            "vector_stores": Stores(),
            "responses": Responses(),
        }
        self._calls = Histogram(
            "llama_stack.provider.call.duration",
            "s",
            "Duration of calls of providers; of a stream, until it is over.",
            (names.API, names.API_OPERATION, names.PROVIDER_ID, names.ERROR),
            also.LONG_SECONDS,
        )
        self._calls_of: Found[tuple[object, ...], Distribution] = Found(
            lambda said: self._calls.of((*map(text, said),))
        )
        kinds: tuple[_Counts, ...] = (self._requests, self._attempts, *self._by_api.values(), self._executed)
        self._unfolded = 0
        self._instruments = [*(one for kind in kinds for one in kind.instruments), self._calls]

    @property
    def instruments(self) -> Sequence[Instrument]:
        """All there is to be read."""
        return self._instruments

    def watch(self, instruments: Iterable[Instrument]) -> None:
        """Some more, that know for themselves what there is."""
        self._instruments.extend(instruments)

    async def export(self, spans: Sequence[Span], offset_s: float) -> None:
        for span in spans:
            self._count(span)
        self._unfolded += len(spans)
        if self._unfolded > _MOST_UNFOLDED:
            self._unfolded = 0
            for instrument in self._instruments:
                if isinstance(instrument, Histogram):
                    instrument.fold()

    async def close(self) -> None:
        """Nothing waits here."""

    def _count(self, span: Span) -> None:
        assert span.ended is not None
        said, seconds = span.attributes, span.ended - span.began
        if span.kind == "server":
            self._requests.count(span, seconds)
            return
        if (api := said.get(names.API)) is not None:
            self._calls_of[api, said.get(names.API_OPERATION), said.get(names.PROVIDER_ID), span.error].record(seconds)
            if (kind := self._by_api.get(api)) is not None:
                kind.count(span, seconds)
        elif span.kind == "client" and names.METHOD in said:
            self._attempts.count(span, seconds)
        if said.get(names.OPERATION) == EXECUTE_TOOL:
            self._executed.count(span, seconds)
