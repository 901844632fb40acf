"""A server's record in the Llama home: who it is, where it listens, how it is doing.

The server holds a lock on the file for its whole life, so whoever wants to know whether it is alive tries the lock, and
no pid is guessed. The file is rewritten in place: the lock belongs to the inode. The command line reads and creates
records; see `llama_cli/distribution/process.py`.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import runtime
from runtime.errors import Conflict

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

    def say(self, state: str, **facts: Any) -> None:
        """Write the state (starting, ready, degraded, draining, stopped, failed) and whatever else is new."""
        self._facts.update(facts, state=state, pid=os.getpid(), version=runtime.__version__)
        self._facts.setdefault(
            "started_at", datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        )
        data = json.dumps(self._facts, indent=1).encode()
        # Over all of what was there: whoever reads between the two calls finds a whole document and blanks after it.
        os.pwrite(self._fd, data.ljust(os.fstat(self._fd).st_size), 0)
        os.ftruncate(self._fd, len(data))


def _read(fd: int) -> dict[str, Any]:
    try:
        known = json.loads(os.pread(fd, 1 << 20, 0) or b"{}")
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
