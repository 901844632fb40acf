"""The folder where a server keeps its state: it is one server's for as long as that runs, whoever has started it, or
that of a command that moves what is in it.

    <state>/.lock      locked by the server while it runs; its text names the holder

Servers of several Llama homes can name one folder, and no home knows the others' records. Two processes on one folder
would each serve what they remember of it, and some databases can be opened by one alone.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
import weakref
from pathlib import Path
from typing import Self

from runtime.errors import ConfigInvalid, Conflict, Problem

log = logging.getLogger(__name__)
LOCK = ".lock"
_LONGEST_NOTE = 4096


class Held:
    """A folder until `let_go`, or until the process ends; a process that is forked from it does not have it. lock: None
    where nothing could be locked.
    """

    def __init__(self, lock: int | None) -> None:
        self._lock = lock
        _all.add(self)

    @property
    def is_locked(self) -> bool:
        """Whether nobody else has it."""
        return self._lock is not None

    def is_of(self, lock: int) -> bool:
        """Whether an open file is the one that is locked here."""
        mine = self._lock
        try:
            return mine is not None and os.path.sameopenfile(mine, lock)
        except OSError:  # another thread has just let it go
            return False

    def let_go(self) -> None:
        """Others may have the folder. Does nothing the second time."""
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.let_go()


_all: weakref.WeakSet[Held] = weakref.WeakSet()


def _let_go_in_child() -> None:
    """The lock is that of the open file, and would last as long as the child."""
    for held in list(_all):
        held.let_go()


os.register_at_fork(after_in_child=_let_go_in_child)


def is_new(folder: Path) -> bool:
    """Whether nothing was ever kept in it. One that can be no folder is new too: `hold` says what is wrong with it."""
    try:
        return all(entry.name == LOCK for entry in folder.iterdir())
    except OSError:
        return True


def hold(folder: Path, *, holder: str) -> Held:
    """Make the folder if needed, for its owner alone, and hold it. holder: what others are told has it.

    Raises ConfigInvalid for what can be no folder, Conflict, naming the holder, if another server has it. On a file
    system without locks, a warning is logged and nothing is held.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        problem = Problem(message=f"`{folder}` cannot be a folder for state: {error.strerror}", path="--state")
        raise ConfigInvalid([problem], what="choice") from error
    try:
        is_here = any(held.is_of(fd) for held in list(_all))
        is_ours = take_lock(fd, wait_s=0.0) if is_here else take_lock(fd)
    except OSError as error:
        log.warning("the state folder cannot be locked", extra={"folder": str(folder), "error": error.strerror})
        os.close(fd)
        return Held(None)
    if not is_ours:
        whose = "this" if is_here else "another"
        by = os.pread(fd, _LONGEST_NOTE, 0).decode("utf-8", "replace").strip()
        os.close(fd)
        raise Conflict(
            f"the state folder `{folder}` is in use by {whose} process{f': {by}' if by else ''}",
            hint="stop a server with `llama stack stop`, or name another folder with `--state DIR`",
        )
    os.ftruncate(fd, 0)
    os.pwrite(fd, holder.encode("utf-8", "surrogateescape")[:_LONGEST_NOTE], 0)
    return Held(fd)


def is_held(folder: Path) -> bool:
    """Whether a process holds the folder now."""
    try:
        fd = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not take_lock(fd, wait_s=0.0)
    except OSError:
        return False
    finally:
        os.close(fd)


def take_lock(fd: int, *, wait_s: float = 1.0) -> bool:
    """Lock an open file until it is closed; False if another process has it. wait_s: how long to try, since a
    process that checks the lock holds it for a moment. Raises OSError if the file system has no locks.
    """
    deadline = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
