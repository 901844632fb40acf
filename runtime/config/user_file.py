"""A file that the user names to be written: whatever is there is opened for what it is.

A regular file, or nothing yet, is written as our own files are: at once or not at all, under the name that a link leads
to. A pipe, a terminal, a device, an open descriptor (`-`, `/dev/stdout`, `/dev/fd/3`) is written to, and never removed.
Knows nothing of what is written. Standard library, `home`, `descriptors` and `runtime.errors` only.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import stat
import time
from contextlib import suppress
from pathlib import Path

from runtime.config.descriptors import own_descriptor
from runtime.config.home import atomic_write, expanded
from runtime.errors import AccessDenied, ConfigInvalid, Problem

_READER_TAKES_S = 5.0
"""How long a reader that is there may let a full pipe wait."""

_STAYS_IN_PLACE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY)
"""Why a file that may be written may not be replaced: its folder is closed to us, or it is mounted from elsewhere."""


class UserFile:
    """The file at `given`, as option `option` names it.

    Raises ConfigInvalid, as for a wrong option, for what cannot be written: a folder, a socket, a descriptor that is
    not open, a file in a folder that is not there; AccessDenied for what is closed to us.
    """

    def __init__(self, given: str, *, option: str) -> None:
        self._given = given
        self._option = option
        self._path = expanded(given)
        self._descriptor = 1 if given == "-" else own_descriptor(self._path)
        self._former: os.stat_result | None = None
        """Of the regular file that was there at first, whose owner and permissions the new one gets."""
        self._check()

    @property
    def is_stdout(self) -> bool:
        return self._descriptor == 1

    @property
    def name(self) -> str:
        """What messages call it."""
        return "standard output" if self.is_stdout else f"`{self._given}`"

    def clear(self) -> None:
        """Take away what is there from an earlier time, where that is a regular file: who waits for the file must not
        find that. Raises OSError.
        """
        if self._former is None:
            return
        try:
            self._target.unlink(missing_ok=True)
        except OSError as error:
            if error.errno not in _STAYS_IN_PLACE:
                raise
            os.truncate(self._target, 0)

    def write(self, text: str) -> bool:
        """Write it all. Returns False for a pipe that nobody reads, or that its reader leaves full; it does not wait
        for one. Raises OSError.
        """
        data = text.encode(errors="surrogateescape")
        if self._descriptor is not None:
            return _pour(os.dup(self._descriptor), data)
        if not self._path.exists() or self._path.is_file():
            self._replace(data)
            return True
        try:
            # Not for us to wait until somebody reads, nor to get a terminal for our own.
            handle = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return False
            raise
        return _pour(handle, data)

    def _replace(self, data: bytes) -> None:
        former, target = self._former, self._target
        try:
            atomic_write(target, data, mode=stat.S_IMODE(former.st_mode) if former else 0o644)
        except OSError as error:
            if error.errno not in _STAYS_IN_PLACE or not target.exists():
                raise
            target.write_bytes(data)
        if former:
            with suppress(PermissionError):
                os.chown(target, former.st_uid, former.st_gid)

    @property
    def _target(self) -> Path:
        """Where the file is; the link that leads there stays."""
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
        except OSError as error:  # too long, a link to itself, through a file as if it were a folder
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


def _pour(handle: int, data: bytes) -> bool:
    """Write into what is open there, and close it. Returns whether all of it was taken."""
    deadline = time.monotonic() + _READER_TAKES_S
    try:
        while data:
            # An inherited descriptor waits inside `write`, without end; for so much there is room once it is ready.
            if not select.select([], [handle], [], max(deadline - time.monotonic(), 0))[1]:
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
