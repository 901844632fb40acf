"""Counts the spans that have ended, also those of traces that are not sampled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from runtime.telemetry import conventions as names
from runtime.telemetry.alike import Alike, batch_of
from runtime.telemetry.found import Found
from runtime.telemetry.metrics import values as also
from runtime.telemetry.metrics.instruments import Distribution, Histogram, Instrument
from runtime.telemetry.metrics.of_models import BY as OF_MODEL
from runtime.telemetry.metrics.of_models import Models
from runtime.telemetry.metrics.of_requests import OF_ATTEMPT, OF_REQUEST, Attempts, Operations, Requests
from runtime.telemetry.metrics.of_responses import Responses
from runtime.telemetry.metrics.of_stores import Stores
from runtime.telemetry.metrics.of_tools import ExecutedTools, Tools
from runtime.telemetry.metrics.values import text
from runtime.telemetry.operation import EXECUTE_TOOL
from runtime.telemetry.spans import Span

_MOST_UNFOLDED = 20_000
"""Spans whose durations and tokens may wait to be put into buckets."""


_MODELS = "inference"
"""The API whose calls are calls of models."""
_OF_CALL = (names.API, names.API_OPERATION, names.PROVIDER_ID)
_BY = frozenset((*_OF_CALL, *OF_REQUEST, *OF_ATTEMPT, *OF_MODEL))
"""What series are found by, and what says which there are."""


class _Counts(Protocol):
    """Some kind of spans of which there are few, so that each is counted by itself."""

    instruments: tuple[Instrument, ...]

    def count(self, span: Span, seconds: float) -> None: ...


class SpanMetrics:
    """Implements `Exporter`. operations: of each method and route, the API and its operation; asked for once, when the
    first request is counted.
    """

    def __init__(self, operations: Callable[[], Operations] = dict) -> None:
        self._requests, self._attempts, self._models = Requests(operations), Attempts(), Models()
        self._executed = ExecutedTools()
        self._by_api: dict[object, _Counts] = {
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
        listed = (*self._requests.instruments, *self._attempts.instruments, *self._models.instruments)
        each = (one for kind in (*self._by_api.values(), self._executed) for one in kind.instruments)
        self._unfolded = 0
        self._instruments: list[Instrument] = [*listed, *each, self._calls]

    @property
    def instruments(self) -> Sequence[Instrument]:
        """All there is to be read."""
        return self._instruments

    def watch(self, instruments: Iterable[Instrument]) -> None:
        """Some more, that know for themselves what there is."""
        self._instruments.extend(instruments)

    async def export(self, spans: Sequence[Span], offset_s: float) -> None:
        for alike in batch_of(spans).alike(_BY):
            self._count(alike)
        self._unfolded += len(spans)
        if self._unfolded > _MOST_UNFOLDED:
            self._unfolded = 0
            for instrument in self._instruments:
                if isinstance(instrument, Histogram):
                    instrument.fold()

    async def close(self) -> None:
        """Nothing waits here."""

    def _count(self, alike: Alike) -> None:
        said = alike.said
        if alike.kind == "server":
            self._requests.count(alike)
            return
        if (api := said.get(names.API)) is not None:
            self._calls_of[(*map(said.get, _OF_CALL), alike.error)].extend(alike.seconds_sorted)
            if api == _MODELS:
                self._models.count(alike)
            elif (kind := self._by_api.get(api)) is not None:
                _count_each(kind, alike)
        elif alike.kind == "client" and names.METHOD in said:
            self._attempts.count(alike)
        if said.get(names.OPERATION) == EXECUTE_TOOL:
            _count_each(self._executed, alike)


def _count_each(kind: _Counts, alike: Alike) -> None:
    for span, seconds in zip(alike.spans, alike.seconds, strict=True):
        kind.count(span, seconds)
