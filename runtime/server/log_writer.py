"""Writes log records in a thread of its own, many in one write: a request never waits for the disk.

Each time that the thread wakes up it competes with the event loop, and each write is a system call, so after the first
record the thread waits a moment for more. A warning or an error is written at once.
"""

from __future__ import annotations

import logging
import logging.handlers
import os
import queue
import stat
import threading
from collections.abc import Callable, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import Protocol, TextIO

from runtime.stdio import print_error

_GATHER_S = 0.05
_MAX_RECORDS = 1000
"""The most records of one write."""
_FILE_BYTES, _FILES_KEPT = 20 * 1024 * 1024, 3


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
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def put(self, record: logging.LogRecord) -> None:
        self._waiting.put(record)
        if record.levelno >= logging.WARNING:
            self._is_urgent.set()

    def stop(self) -> None:
        """Write what is waiting, and close the targets."""
        self._waiting.put(None)
        self._is_urgent.set()
        self._thread.join()
        for target in self._targets:
            target.close()

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
        prepared = [self._prepare(record) for record in records]
        for target in self._targets:
            try:
                target.write([target.format(record) for record in prepared])
                self._has_failed = False
            except Exception as error:  # this thread must go on: the next lines may be written
                if not self._has_failed:
                    print_error(f"the log cannot be written: {error}")
                self._has_failed = True


class LogFile(logging.handlers.RotatingFileHandler):
    """A log file, also an existing one, that only its owner can read; the same for a folder that is made for it. A
    regular file is rotated.
    """

    def __init__(self, file: Path) -> None:
        if not file.parent.is_dir():
            file.parent.parent.mkdir(parents=True, exist_ok=True)
            file.parent.mkdir(mode=0o700, exist_ok=True)
        super().__init__(file, maxBytes=_FILE_BYTES, backupCount=_FILES_KEPT, encoding="utf-8")

    def _open(self) -> TextIOWrapper:
        opened = open(  # noqa: SIM115  # closed by `close`
            self.baseFilename, self.mode, encoding=self.encoding, errors=self.errors, opener=_owner_only
        )
        assert isinstance(opened, TextIOWrapper)
        found = os.fstat(opened.fileno())
        self._is_regular, self._size = stat.S_ISREG(found.st_mode), found.st_size
        return opened

    def write(self, lines: Sequence[str]) -> None:
        """Append lines; a file that they would make too large is rotated first. Raises OSError."""
        fitting: list[str] = []
        for line in lines:
            size = len(line) + 1  # in characters: the limit need not be exact
            if self._is_regular and self._size and self._size + size > self.maxBytes:
                self._append(fitting)
                fitting = []
                self.doRollover()
            fitting.append(line)
            self._size += size
        self._append(fitting)

    def _append(self, lines: Sequence[str]) -> None:
        if lines and self.stream is not None:
            self.stream.write("\n".join(lines) + "\n")
            self.stream.flush()


class Stream(logging.Handler):
    """An open stream, which stays open."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream

    def write(self, lines: Sequence[str]) -> None:
        """Raises OSError."""
        if lines:
            self._stream.write("\n".join(lines) + "\n")
            self._stream.flush()


def _owner_only(path: str, flags: int) -> int:
    # Opening a pipe must not wait for a reader. Writing may block, since the log has its own thread.
    fd = os.open(path, flags | os.O_NONBLOCK, 0o600)
    os.set_blocking(fd, True)
    found = os.fstat(fd)
    if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid():  # not `/dev/null`, which stays open to everybody
        os.fchmod(fd, 0o600)
    return fd
