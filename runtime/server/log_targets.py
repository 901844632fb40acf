"""Where log lines go: a file that is rotated, or an open stream."""

from __future__ import annotations

import logging
import logging.handlers
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from runtime.stdio import print_error

_FILE_BYTES, _FILES_KEPT = 20 * 1024 * 1024, 3


class LogFile(logging.handlers.RotatingFileHandler):
    """A log file, also an existing one, that only its owner can read; the same for a folder that is made for it. A
    regular file is rotated; if its folder does not allow that, it grows.
    """

    stream: Any  # unbuffered, so that after a failure it is known what was written

    def __init__(self, file: Path) -> None:
        self._is_torn = False
        if not file.parent.is_dir():
            file.parent.parent.mkdir(parents=True, exist_ok=True)
            file.parent.mkdir(mode=0o700, exist_ok=True)
        super().__init__(file, maxBytes=_FILE_BYTES, backupCount=_FILES_KEPT)

    def _open(self) -> Any:
        opened = open(self.baseFilename, "ab", buffering=0, opener=_owner_only)  # noqa: SIM115  # closed by `close`
        found = os.fstat(opened.fileno())
        self._is_regular, self._size = stat.S_ISREG(found.st_mode), found.st_size
        return opened

    def write(self, lines: Sequence[str]) -> None:
        """Append lines; a file that they would make too large is rotated first. Raises OSError."""
        fitting, size = list[bytes](), self._size
        for line in lines:
            data = line.encode(errors="backslashreplace") + b"\n"
            if self._is_regular and size and size + len(data) > self.maxBytes:
                self._append(fitting)
                self._rotate()
                fitting, size = [], self._size
            fitting.append(data)
            size += len(data)
        self._append(fitting)

    def _append(self, lines: Sequence[bytes]) -> None:
        if self.stream is None:
            self.stream = self._open()
        data = b"".join((b"\n", *lines) if self._is_torn else lines)
        while data:
            written = self.stream.write(data)
            self._size += written
            self._is_torn = data[written - 1] != ord("\n")  # a full disk may take a part
            data = data[written:]

    def _rotate(self) -> None:
        try:
            self.doRollover()
        except OSError as error:
            print_error(f"the log cannot be rotated, and grows: {error}")
            self.stream = self._open()
            self._size = 0  # so that it is tried again after as many bytes


class Stream(logging.Handler):
    """An open stream, which stays open."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream

    def write(self, lines: Sequence[str]) -> None:
        """Raises OSError."""
        if lines:
            self._stream.write("\n".join(lines) + "\n")
            self._stream.flush()


def _owner_only(path: str, flags: int) -> int:
    # Opening a pipe must not wait for a reader. Writing may block, since the log has its own thread.
    fd = os.open(path, flags | os.O_NONBLOCK, 0o600)
    os.set_blocking(fd, True)
    found = os.fstat(fd)
    if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid():  # not `/dev/null`, which stays open to everybody
        os.fchmod(fd, 0o600)
    return fd
