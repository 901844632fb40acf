"""One process at a time works on a folder of a model that is not whole yet. Knows nothing of what it does there."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llama_cli.exits import ExitCode, Failure
from llama_cli.weights.room import writing
from runtime.config.home import private_folder

LOCK = ".lock"
"""In such a folder: locked by whoever works there; its text is that process's id."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Make the folder where it is missing, and hold it for as long as the block runs, which may take it away. Raises
    Failure (CONFLICT) while another process holds it.
    """
    handle = _locked(folder)
    try:
        with writing(folder / LOCK):
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


def _locked(folder: Path) -> int:
    while True:
        private_folder(folder)
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(handle, folder / LOCK):
                return handle
        except BlockingIOError as error:
            pid = os.pread(handle, 32, 0).decode("ascii", "replace").strip()
            os.close(handle)
            name = folder.name
            message = f"process {pid or 'of somebody else'} is at work on `{name}`"
            raise Failure(message, hint="wait for it", code=ExitCode.CONFLICT) from error
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # whoever held it has ended meanwhile, and taken the folder away


def _is_at(handle: int, path: Path) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(handle), there)
