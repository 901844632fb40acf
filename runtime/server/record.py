"""A server's record in the Llama home: who it is, where it listens, how it is doing.

The server holds a lock on the file for its whole life, so whoever wants to know whether it is alive tries the lock, and
no pid is guessed. The file is rewritten in place: the lock belongs to the inode. It only grows, and what is short ends
in blanks, so that a reader finds a whole document at any moment. The command line reads and creates records; see
`llama_cli/servers/records.py`.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import runtime
from runtime.errors import Conflict

log = logging.getLogger(__name__)
_KEPT = ("id", "name", "options")  # what the command line wrote; all else would be an earlier run's


class ServerRecord:
    """The record at `path`, locked until the process ends. Raises Conflict when another server holds it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        locked, known = _locked(self._fd), _read(self._fd)
        if not locked:
            os.close(self._fd)
            raise Conflict(f"{path} belongs to a server that runs, pid {known.get('pid')}", hint="see `llama stack ps`")
        self._facts: dict[str, Any] = {name: known[name] for name in _KEPT if name in known}
        self._facts.setdefault("id", path.stem)
        self._is_writing = False
        self._is_written = False
        self._has_failed = False

    def say(self, state: str, **facts: Any) -> bool:
        """Write the state (starting, ready, degraded, draining, stopped, failed) and whatever else is new.

        Also from a signal handler: what comes while another `say` is at it is written by that one. Returns False where
        the disk did not take it; the record then is as it was.
        """
        self._facts.update(facts, state=state, pid=os.getpid(), version=runtime.__version__)
        self._facts.setdefault(
            "started_at", datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        )
        self._is_written = False
        while not (self._is_written or self._is_writing):
            self._is_writing = self._is_written = True
            try:
                _replace(self._fd, json.dumps(self._facts).encode())
            except OSError as error:
                if not self._has_failed:  # whoever tries again every second need not say it every second
                    log.error("the record cannot be written", extra={"error": error.strerror})
                self._has_failed = True
                return False
            finally:
                self._is_writing = False
        self._has_failed = False
        return True


def _replace(fd: int, document: bytes) -> None:
    """Blanks first, as many as the document is longer than the file, then all of it in one write over what is there:
    a disk that is full is noticed while the old document is whole.
    """
    size = os.fstat(fd).st_size
    while size < len(document):
        size += os.pwrite(fd, b" " * (len(document) - size), size)
    os.pwrite(fd, document.ljust(size), 0)


def _read(fd: int) -> dict[str, Any]:
    try:
        known = json.loads(os.pread(fd, os.fstat(fd).st_size, 0) or b"{}")
    except ValueError:
        return {}
    return known if isinstance(known, dict) else {}


def _locked(fd: int) -> bool:
    """Take the lock; tries for a second, since whoever asks whether a server is alive holds it for a moment."""
    deadline = time.monotonic() + 1.0
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
