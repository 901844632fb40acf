"""Removes folders that code has filled, however deep they are and whatever is closed in them.

Code can nest folders so deep that no path leads to the last one. Nothing here calls itself, or holds more than three
files open. All calls block. Imports nothing else of ours.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def opened(name: str, holder: int | None) -> int:
    """The descriptor of a folder, which may be changed from now on. holder: of what it is in. Raises OSError."""
    try:
        folder = os.open(name, FOLDER, dir_fd=holder)
    except PermissionError:  # never for root, who would follow a link here
        os.chmod(name, 0o700, dir_fd=holder)
        folder = os.open(name, FOLDER, dir_fd=holder)
    os.fchmod(folder, 0o700)
    return folder


def remove_tree(path: Path) -> None:
    """Each folder in it is moved to its top before that is emptied. Also what code has closed to its own user, which
    the server may be. What cannot be removed keeps nothing else: its OSError is raised at the end. A path that leads to
    nothing is nothing to do.
    """
    failures: dict[str, OSError] = {}
    with contextlib.suppress(FileNotFoundError):
        top = opened(os.fspath(path), None)
        try:
            while names := [name for name in _names(top) if name not in failures]:
                for name in names:
                    try:
                        _remove(name, top)
                    except FileNotFoundError:
                        continue
                    except OSError as error:
                        failures[name] = error
        finally:
            os.close(top)
        if failures:
            raise next(iter(failures.values()))
        path.rmdir()


def _remove(name: str, top: int) -> None:
    """An entry of the top; the folders in it are entries of the top after that."""
    if not _is_folder(name, top):
        os.unlink(name, dir_fd=top)
        return
    folder = opened(name, top)
    failure: OSError | None = None
    try:
        for inner in _names(folder):
            try:
                _empty_of(inner, folder, top)
            except OSError as error:
                failure = failure or error
    finally:
        os.close(folder)
    if failure is not None:
        raise failure
    os.rmdir(name, dir_fd=top)


def _empty_of(inner: str, folder: int, top: int) -> None:
    if _is_folder(inner, folder):
        os.close(opened(inner, folder))  # what is closed cannot be moved either
        os.rename(inner, os.urandom(12).hex(), src_dir_fd=folder, dst_dir_fd=top)
    else:
        os.unlink(inner, dir_fd=folder)


def _names(folder: int) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries]


def _is_folder(name: str, holder: int) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=holder, follow_symlinks=False).st_mode)
