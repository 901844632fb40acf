"""A server's record in the Llama home: its id, where it listens, and its state.

The server locks the file as long as it runs, so other processes can try the lock to see whether it is alive, without
relying on a pid. The file is overwritten in place, since the lock belongs to the inode. It never shrinks: a shorter
document ends with blanks, so that a reader always finds a whole document. The command line reads and creates records;
see `llama_cli/servers/records.py`.
"""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

import runtime
from runtime.clock import machine_date
from runtime.errors import Conflict
from runtime.storage.state_folder import take_lock

log = logging.getLogger(__name__)
_KEPT = ("id", "name", "options")  # written by the command line; everything else is from an earlier run


class ServerRecord:
    """The record at `path`, locked until the process ends. Raises Conflict when another server holds it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        locked, known = take_lock(self._fd), _read(self._fd)
        if not locked:
            os.close(self._fd)
            raise Conflict(f"{path} belongs to a running server, pid {known.get('pid')}", hint="see `llama stack ps`")
        self._fields: dict[str, Any] = {name: known[name] for name in _KEPT if name in known}
        self._fields.setdefault("id", path.stem)
        self._is_writing = False
        self._is_written = False
        self._has_failed = False

    def say(self, state: str, **fields: Any) -> bool:
        """Write the state (starting, ready, degraded, draining, stopped, failed) and other fields that have changed.

        May be called from a signal handler: if another call is writing, that one writes the new state too. Returns
        False if the disk failed; the record is then unchanged.
        """
        self._fields.update(fields, state=state, pid=os.getpid(), version=runtime.__version__)
        self._fields.setdefault("started_at", machine_date().isoformat(timespec="milliseconds").replace("+00:00", "Z"))
        self._is_written = False
        while not (self._is_written or self._is_writing):
            self._is_writing = self._is_written = True
            try:
                _replace(self._fd, json.dumps(self._fields).encode())
            except OSError as error:
                if not self._has_failed:  # logged once, although it is tried again every second
                    log.error("the record cannot be written", extra={"error": error.strerror})
                self._has_failed = True
                return False
            finally:
                self._is_writing = False
        self._has_failed = False
        return True


def _replace(fd: int, document: bytes) -> None:
    """Overwrite the file. A longer document first extends the file with blanks, so that a full disk is noticed while
    the old document is still whole; then everything is written at once.
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
