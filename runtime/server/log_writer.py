"""Writes log records in a thread of its own, many in one write: a request never waits for the disk.

Each time that the thread wakes up it competes with the event loop, and each write is a system call, so after the first
record the thread waits a moment for more. A warning or an error is written at once. If lines cannot be written as fast
as they come, some are lost, and a line says how many.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from runtime.stdio import print_error

_GATHER_S = 0.05
_MAX_RECORDS = 1000
"""The most records of one write."""
_MAX_WAITING = 20_000
"""The most records that wait for a target that is slow, or does not take any: about 20 MB."""
_STOP_LIMIT_S = 3.0


class Target(Protocol):
    """Where lines go."""

    def format(self, record: logging.LogRecord) -> str: ...

    def write(self, lines: Sequence[str]) -> None:
        """Write lines, which have no line ends. Raises OSError."""
        ...

    def close(self) -> None: ...


class LogWriter:
    """targets: every record goes to each of them. prepare: called for each record before it is formatted."""

    def __init__(self, targets: Sequence[Target], prepare: Callable[[logging.LogRecord], logging.LogRecord]) -> None:
        self._targets = targets
        self._prepare = prepare
        self._waiting: queue.SimpleQueue[logging.LogRecord | None] = queue.SimpleQueue()  # None: no more will come
        self._is_urgent = threading.Event()
        self._has_failed = False
        self._lost, self._counting = 0, threading.Lock()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def put(self, record: logging.LogRecord) -> None:
        if self._waiting.qsize() >= _MAX_WAITING:
            self._lose(1)
            return
        self._waiting.put(record)
        if record.levelno >= logging.WARNING:
            self._is_urgent.set()

    def stop(self) -> bool:
        """Write what is waiting, and close the targets. Returns False if that takes too long: a target may be a pipe
        that nobody reads.
        """
        self._waiting.put(None)
        self._is_urgent.set()
        self._thread.join(_STOP_LIMIT_S)
        if self._thread.is_alive():
            return False
        for target in self._targets:
            target.close()
        return True

    def _run(self) -> None:
        while (record := self._waiting.get()) is not None:
            self._is_urgent.wait(_GATHER_S)
            self._is_urgent.clear()
            batch = [record]
            while not self._waiting.empty():
                following = self._waiting.get()
                if following is None:
                    self._write(batch)
                    return
                batch.append(following)
                if len(batch) == _MAX_RECORDS:
                    self._write(batch)
                    batch = []
            self._write(batch)

    def _write(self, records: Sequence[logging.LogRecord]) -> None:
        if not self._are_written(records):
            self._lose(len(records))
        elif self._lost and self._waiting.empty():
            with self._counting:
                lost, self._lost = self._lost, 0
            if not self._are_written([_line_of_lost(lost)]):
                self._lose(lost)

    def _are_written(self, records: Sequence[logging.LogRecord]) -> bool:
        """Whether every target has taken the records."""
        prepared = [self._prepare(record) for record in records]
        failures = []
        for target in self._targets:
            try:
                target.write([target.format(record) for record in prepared])
            except Exception as error:  # this thread must go on: the next lines may be written
                failures.append(error)
        if failures and not self._has_failed:
            print_error(f"the log cannot be written: {failures[0]}")
        self._has_failed = bool(failures)
        return not failures

    def _lose(self, lines: int) -> None:
        with self._counting:
            self._lost += lines


def _line_of_lost(lines: int) -> logging.LogRecord:
    message = "lines of the log were lost; there are up to %d of them"
    return logging.LogRecord(__name__, logging.WARNING, __file__, 0, message, (lines,), None)
