"""Takes the spans that have ended, and hands them on, many at once, to what keeps, counts or exports them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Protocol

from runtime.clock import machine_time
from runtime.telemetry.alike import Batch
from runtime.telemetry.sampling import Sampler
from runtime.telemetry.spans import Span

log = logging.getLogger(__name__)
EVERY_S = 1.0
AT_ONCE = 256
"""Spans that are handed on together, also before that time: what waits for long is memory that nothing else finds in a
processor's cache.
"""
MOST_WAITING = 50_000
"""Spans that may wait to be handed on; more are dropped, and the log says how many."""


class Exporter(Protocol):
    """Where spans go."""

    async def export(self, spans: Sequence[Span], offset_s: float) -> None:
        """Take spans, soon: all others wait, and so do those who ask what has happened. What another server has to
        answer is sent from a queue of its own. offset_s: what makes seconds since 1970 of a span's seconds.
        """
        ...

    async def close(self) -> None:
        """Nothing more comes. What still waits is sent, but not for ever."""
        ...


class BatchProcessor:
    """Implements `SpanProcessor` and `Spans`. exporters: each gets every span, also where another one fails.
    completed: notes beforehand what can wait until then. without_secrets: for whoever keeps or sends a text that spans
    state: callers choose paths, names and ids.
    """

    def __init__(
        self,
        exporters: Iterable[Exporter] = (),
        *,
        sampler: Sampler | None = None,
        completed: Callable[[Sequence[Span]], None] = lambda _: None,
        without_secrets: Callable[[str], str] = lambda text: text,
        every_s: float = EVERY_S,
    ) -> None:
        self._completed = completed
        self.without_secrets = without_secrets
        self.sampler = sampler
        self._exporters = list(exporters)
        self._every_s = every_s
        self._ended: list[Span] = []
        self._are_many = asyncio.Event()
        self._dropped = 0
        self._handing_on = asyncio.Lock()
        self._failing: set[Exporter] = set()

    def add(self, exporter: Exporter) -> None:
        """One more, which gets what ends from now on."""
        self._exporters.append(exporter)

    def on_end(self, span: Span) -> None:
        ended = self._ended
        ended.append(span)
        if len(ended) >= AT_ONCE:
            self._are_many.set()
            if len(ended) > MOST_WAITING:
                ended.pop()
                self._dropped += 1

    async def run(self) -> None:
        """Hand on what has ended, again and again, until it is cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._every_s):
                    await self._are_many.wait()
            self._are_many.clear()
            await self.flush()

    async def flush(self) -> None:
        """Returns when everything that has ended until now was handed on."""
        async with self._handing_on:
            spans, self._ended = Batch(self._ended), []
            if dropped := self._dropped:
                self._dropped = 0
                log.warning("spans were dropped: more ended than could be kept", extra={"count": dropped})
            if not spans:
                return
            self._complete(spans)
            offset_s = machine_time() - time.perf_counter()
            for exporter in self._exporters:
                await self._hand_on(exporter, spans, offset_s)

    async def close(self) -> None:
        """Hand on what is left. All of them close at once: none waits for a collector that does not answer another."""
        await self.flush()
        await asyncio.gather(*map(self._close, self._exporters))

    async def _close(self, exporter: Exporter) -> None:
        try:
            await exporter.close()
        except Exception as error:
            log.warning("what has happened is not kept", extra=_about(exporter, 0, error))

    def _complete(self, spans: Sequence[Span]) -> None:
        for span in spans:
            try:
                span.tell()
            except Exception:
                log.exception("a span is handed on without all that there is to tell of it")
        try:
            self._completed(spans)
        except Exception as error:
            log.exception("spans are handed on without all that there is to say", extra={"error": str(error)})

    async def _hand_on(self, exporter: Exporter, spans: Sequence[Span], offset_s: float) -> None:
        try:
            await exporter.export(spans, offset_s)
            self._failing.discard(exporter)
        except Exception as error:
            if exporter not in self._failing:  # logged once, although it is tried again every second
                self._failing.add(exporter)
                log.warning("what has happened is not kept", extra=_about(exporter, len(spans), error))


def _about(exporter: Exporter, count: int, error: Exception) -> dict[str, object]:
    return {"sink": type(exporter).__name__, "count": count, "error": str(error)}
