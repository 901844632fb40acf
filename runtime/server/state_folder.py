"""The folder where a server keeps its state: it is one server's for as long as that runs, whoever has started it.

    <state>/.lock      locked by the server while it runs; its text names the server

Servers of several Llama homes can name one folder, and no home knows the others' records. Two processes on one folder
would each serve what they remember of it, and some databases can be opened by one alone.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from runtime.errors import ConfigInvalid, Conflict, Problem
from runtime.server.record import take_lock

log = logging.getLogger(__name__)
LOCK = ".lock"
_LONGEST_NOTE = 4096


def hold(folder: Path, *, holder: str) -> None:
    """Make the folder if needed, and hold it until this process ends. holder: what others are told has it.

    Raises ConfigInvalid for what can be no folder, Conflict, naming the holder, if another server has it. On a file
    system without locks, a warning is logged and nothing is held.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        fd = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        problem = Problem(message=f"`{folder}` cannot be a folder for state: {error.strerror}", path="--state")
        raise ConfigInvalid([problem], what="choice") from error
    try:
        is_ours = take_lock(fd)
    except OSError as error:
        log.warning("the state folder cannot be locked", extra={"folder": str(folder), "error": error.strerror})
        os.close(fd)
        return
    if not is_ours:
        by = os.pread(fd, _LONGEST_NOTE, 0).decode("utf-8", "replace").strip()
        os.close(fd)
        raise Conflict(
            f"the state folder `{folder}` is in use by another server{f': {by}' if by else ''}",
            hint="stop that one, or keep the state of this one in another folder with `--state DIR`",
        )
    # Left open: the lock lasts as long as the process.
    os.ftruncate(fd, 0)
    os.pwrite(fd, holder.encode("utf-8", "surrogateescape")[:_LONGEST_NOTE], 0)
