"""Writes to a file that the user names, whatever kind of file it is.

A regular or new file is replaced as a whole, as our own files are; a link is followed, and stays. A pipe, a terminal, a
device or an open descriptor (`-`, `/dev/stdout`, `/dev/fd/3`) is written to, and never removed. Does not know what is
written. Imports only the standard library, `home`, `descriptors` and `runtime.errors`.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from runtime.config.descriptors import own_descriptor
from runtime.config.home import atomic_write, expanded
from runtime.errors import AccessDenied, ConfigInvalid, Problem

_READER_LIMIT_S = 5.0
"""How long we wait for a reader to take data from a full pipe."""

_CANNOT_REPLACE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY)
"""The errors of a file that can be written but not replaced: we may not write its folder, or the file is a mount."""


class UserFile:
    """The file at `given`, as option `option` names it. mode: of a new file.

    Raises ConfigInvalid, as for a wrong option, for what cannot be written: a folder, a socket, a descriptor that is
    not open, a file in a folder that does not exist; AccessDenied where the permission is missing.
    """

    def __init__(self, given: str, *, option: str, mode: int = 0o644) -> None:
        self._mode = mode
        self._given = given
        self._option = option
        self._path = expanded(given)
        self._descriptor = 1 if given == "-" else own_descriptor(self._path)
        self._former: os.stat_result | None = None
        """Of the regular file that was there before. The new file gets its owner and permissions."""
        self._check()

    @property
    def is_stdout(self) -> bool:
        return self._descriptor == 1

    @property
    def regular(self) -> Path | None:
        """The absolute path of a regular file, or of one that is not there yet; None for anything else."""
        is_regular = self._descriptor is None and (self._path.is_file() or not self._path.exists())
        return self._target if is_regular else None

    @property
    def is_there(self) -> bool:
        """Whether writing replaces what a regular file holds."""
        return self._former is not None

    @property
    def name(self) -> str:
        """The name for messages."""
        return "standard output" if self.is_stdout else f"`{self._given}`"

    def clear(self) -> None:
        """Remove an old regular file, so that a program that waits for the new one does not find it. Raises OSError."""
        if self._former is None:
            return
        try:
            self._target.unlink(missing_ok=True)
        except OSError as error:
            if error.errno not in _CANNOT_REPLACE:
                raise
            os.truncate(self._target, 0)

    def write(self, data: str | Iterable[bytes]) -> bool:
        """Write all of it. data: a text, or pieces as they come. Returns False for a pipe that nobody reads, or whose
        reader is too slow; never waits for a reader to come. Raises OSError, and what taking the next piece raises.
        """
        pieces = iter([data.encode(errors="surrogateescape")] if isinstance(data, str) else data)
        if self._descriptor is not None:
            return _write_and_close(os.dup(self._descriptor), b"".join(pieces))
        if not self._path.exists() or self._path.is_file():
            self._replace(pieces)
            return True
        try:
            # Without waiting for a reader, and without making a terminal our controlling terminal.
            handle = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return False
            raise
        return _write_and_close(handle, b"".join(pieces))

    def _replace(self, pieces: Iterator[bytes]) -> None:
        former, target = self._former, self._target
        taken: list[bytes] = []  # two at most: what was one piece can be written again

        def noted() -> Iterator[bytes]:
            for piece in pieces:
                taken[len(taken[:1]) :] = [piece]
                yield piece

        try:
            atomic_write(target, noted(), mode=stat.S_IMODE(former.st_mode) if former else self._mode)
        except OSError as error:
            if error.errno not in _CANNOT_REPLACE or not target.exists() or len(taken) > 1:
                raise
            with target.open("wb") as file:
                file.writelines([*taken, *pieces])
        if former:
            with suppress(PermissionError):
                os.chown(target, former.st_uid, former.st_gid)

    @property
    def _target(self) -> Path:
        """The file itself, behind any links."""
        return Path(os.path.realpath(self._path))

    def _check(self) -> None:
        if self._descriptor is not None:
            if not _is_open_for_writing(self._descriptor):
                raise self._refused(f"`{self._given}` is not open for writing", hint="name a file")
            return
        try:
            found = self._path.stat()
        except FileNotFoundError:
            self._check_folder((self._target if self._path.is_symlink() else self._path).parent)
            return
        except PermissionError:
            raise self._denied(f"you may not look at `{self._given}`") from None
        except OSError as error:  # too long, a link to itself, a file used as a folder
            raise self._refused(f"`{self._given}` cannot be a file: {error.strerror}") from error
        if stat.S_ISDIR(found.st_mode):
            raise self._refused(f"`{self._given}` is a folder", hint="name a file in it")
        if stat.S_ISSOCK(found.st_mode):
            raise self._refused(f"`{self._given}` is a socket", hint="name a file or a pipe")
        if not os.access(self._path, os.W_OK):
            raise self._denied(f"you may not write `{self._given}`")
        if stat.S_ISREG(found.st_mode):
            self._former = found

    def _check_folder(self, folder: Path) -> None:
        if not folder.is_dir():
            raise self._refused(f"there is no folder `{folder}`", hint="make it, or name a file in one that is there")
        if not os.access(folder, os.W_OK):
            raise self._denied(f"you may not write in `{folder}`")

    def _denied(self, message: str) -> AccessDenied:
        return AccessDenied(f"`{self._option}`: {message}", hint="name a file of yours, in a folder of yours")

    def _refused(self, message: str, *, hint: str | None = None) -> ConfigInvalid:
        return ConfigInvalid([Problem(message=message, path=self._option, hint=hint)], what="choice")


def _write_and_close(handle: int, data: bytes) -> bool:
    """Write to an open descriptor and close it. Returns whether everything was written."""
    try:
        while data:
            # An inherited descriptor may block in `write` for ever. PIPE_BUF bytes fit once `select` says it is ready.
            if not select.select([], [handle], [], _READER_LIMIT_S)[1]:
                return False
            with suppress(BlockingIOError):
                data = data[os.write(handle, data[: select.PIPE_BUF]) :]
        return True
    except BrokenPipeError:
        return False
    finally:
        os.close(handle)


def _is_open_for_writing(descriptor: int) -> bool:
    try:
        return fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
    except OSError:
        return False
