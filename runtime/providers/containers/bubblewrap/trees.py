"""Folders that code has filled: what they take, and removing them, however deep they are and whatever is closed.

Code can nest folders so deep that no path leads to the last one. Nothing here calls itself, or holds more than three
files open. All calls block.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from runtime.ids import new_id

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MORE_THAN_ANY = 1 << 62


def opened(name: str, holder: int | None) -> int:
    """The descriptor of a folder, which may be changed from now on. holder: of what it is in. Raises OSError."""
    try:
        folder = os.open(name, FOLDER, dir_fd=holder)
    except PermissionError:  # never for root, who would follow a link here
        os.chmod(name, 0o700, dir_fd=holder)
        folder = os.open(name, FOLDER, dir_fd=holder)
    os.fchmod(folder, 0o700)
    return folder


def taken(path: Path) -> tuple[int, int]:
    """What an entry takes with all that is in it: bytes on disk, and entries. More than any bound of both where a part
    of it cannot be looked into. Raises OSError.
    """
    about = path.lstat()
    size, count = about.st_blocks * 512, 1
    waiting = [os.fspath(path)] if stat.S_ISDIR(about.st_mode) else []
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    count += 1
                    size += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except FileNotFoundError:
            continue
        except OSError:  # too deep for a path, or closed
            return _MORE_THAN_ANY, _MORE_THAN_ANY
    return size, count


def remove_tree(path: Path) -> None:
    """Each folder in it is moved to its top before that is emptied. Also what code has closed to its own user, which
    the server may be. Raises OSError.
    """
    with contextlib.suppress(FileNotFoundError):
        top = opened(os.fspath(path), None)
        try:
            while names := _names(top):
                for name in names:
                    with contextlib.suppress(FileNotFoundError):
                        _remove(name, top)
        finally:
            os.close(top)
        path.rmdir()


def _remove(name: str, top: int) -> None:
    """An entry of the top; the folders in it are entries of the top after that."""
    if not _is_folder(name, top):
        os.unlink(name, dir_fd=top)
        return
    folder = opened(name, top)
    try:
        for inner in _names(folder):
            if _is_folder(inner, folder):
                os.close(opened(inner, folder))  # what is closed cannot be moved either
                os.rename(inner, new_id("removed_"), src_dir_fd=folder, dst_dir_fd=top)
            else:
                os.unlink(inner, dir_fd=folder)
    finally:
        os.close(folder)
    os.rmdir(name, dir_fd=top)


def _names(folder: int) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries]


def _is_folder(name: str, holder: int) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=holder, follow_symlinks=False).st_mode)
