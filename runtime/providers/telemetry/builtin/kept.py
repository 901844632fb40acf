"""Keeps spans: they are rows soon after they have ended, so that not much waits, and on disk a second later."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from runtime.clock import wall_time
from runtime.errors import Unavailable
from runtime.providers.telemetry.builtin.rows import IN_LINES, columns_of
from runtime.providers.telemetry.builtin.shapes import Shapes
from runtime.providers.telemetry.builtin.tables import SHAPES, TRACES
from runtime.storage.analytics.handle import Analytics
from runtime.telemetry.spans import Span
from runtime.to_the_end import to_the_end

log = logging.getLogger(__name__)
EVERY_S = 1.0
MOST_WAITING = 50_000
"""Rows that may wait for a disk that cannot be written; more are lost, and the log says how many."""
MOST_CHARACTERS = 64 * 1024**2
"""The same of their text, which is long where bodies are told."""


class Kept:
    """Implements `Exporter`. without_secrets: what makes a text one that may be kept. has_begun: set once there is
    something to keep.
    """

    def __init__(self, analytics: Analytics, without_secrets: Callable[[str], str] = str) -> None:
        self._without_secrets = without_secrets
        self._shapes = Shapes(wall_time, without_secrets)
        self._analytics = analytics
        self._waiting: dict[str, list[Any]] = defaultdict(list)
        self._count = self._lost = 0
        self._writing = asyncio.Lock()
        self._is_failing = False
        self.has_begun = asyncio.Event()

    async def export(self, spans: Sequence[Span], offset_s: float) -> None:
        self._shapes.renew()
        columns = columns_of(spans, offset_s, self._shapes, self._without_secrets)
        count = len(columns["trace_id"])
        if not count:
            return
        self.has_begun.set()
        if self._count + count > MOST_WAITING or (self._is_failing and self._is_too_long(columns["spans"])):
            self._lost += count
            return
        self._count += count
        for name, values in columns.items():
            self._waiting[name] += values

    async def close(self) -> None:
        """Write what is left."""
        await self.write()

    async def run(self) -> None:
        """Write, again and again, until it is cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            await self.write()

    async def write(self) -> None:
        """Returns when everything that was told until now is on disk, or cannot be, which the log says once. Whoever
        leaves meanwhile, such as one who asks what has happened, takes nothing along.
        """
        await to_the_end(self._write())

    async def _write(self) -> None:
        async with self._writing:
            rows, count, lost = self._waiting, self._count, self._lost
            if not count:
                return
            self._waiting, self._count, self._lost = defaultdict(list), 0, 0
            shapes = self._shapes.taken()
            try:
                if shapes:
                    await self._analytics.append(SHAPES, shapes)
                    shapes = []
                lines = {name: "\n".join(rows[name]) for name in IN_LINES}
                await self._analytics.append_columns(TRACES, {**rows, **lines})
            except Unavailable as error:
                self._put_back(rows, count, lost)
                self._shapes.unwritten = shapes + self._shapes.unwritten
                if not self._is_failing:
                    log.warning("what has happened is not kept", extra={"count": count, "error": error.message})
                self._is_failing = True
                return
            except Exception as error:  # tried again, they would keep all that follows from the disk
                if shapes:
                    self._shapes.forget()
                facts = {"count": count, "error": f"{type(error).__name__}: {error}"}
                log.warning("traces are lost: they can never be written", extra=facts)
                return
            self._is_failing = False
            if lost:
                log.warning("traces are lost: they could not be written for too long", extra={"count": lost})

    def _is_too_long(self, more: Sequence[str]) -> bool:
        return sum(map(len, self._waiting["spans"])) + sum(map(len, more)) > MOST_CHARACTERS

    def _put_back(self, rows: dict[str, list[Any]], count: int, lost: int) -> None:
        """Before what has come meanwhile."""
        for name, values in rows.items():
            self._waiting[name] = values + self._waiting[name]
        self._count += count
        self._lost += lost
