"""Runs any command line of ours in this process without harm, whatever it was given: what it would do outside of one
folder is refused as a system refuses it that has no processes, no network and no rights to give.

So a command needs no switch for its tests: one that starts a server meets a machine that cannot start another process,
one that removes the wrong folder is not let. An audit hook sees this from whatever library it comes; it stays for the
life of the process, as audit hooks do, and acts only while `Contained` is entered.
"""

from __future__ import annotations

import errno
import io
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import chdir
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import pytest

from llama_cli.completing.answer import main as complete
from llama_cli.main import run

CASE_S = 20
"""The longest one command line may take: none of these has anything to wait for."""
_STARTS = ("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.exec", "os.system")
_KILLS = ("os.kill", "os.killpg")
_CHANGES: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("os.mkdir", "os.remove", "os.rmdir", "os.truncate", "os.chmod", "os.chown", "os.utime"), (0,)),
    **dict.fromkeys(("os.rename", "os.link", "shutil.move"), (0, 1)),
    "os.symlink": (1,),
    "shutil.rmtree": (0,),
}
"""What changes the disk, and which of its arguments are the places that it changes."""
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_ALLOWED = {os.devnull, "/dev/full"}
_inside: Contained | None = None


class Ended(NamedTuple):
    """How a command line ended, with its outputs as they are."""

    arguments: tuple[str, ...]
    code: int
    out: str
    err: str


class Contained:
    """While entered, `run` runs command lines that change nothing outside of `folder`, whose `home` is HOME and whose
    `work` is the current folder. refused: what was not let, as an event and its place.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder.resolve()
        self.home, self.work = self.folder / "home", self.folder / "work"
        self.llama_home = self.home / ".llama"
        self.refused: list[tuple[str, str]] = []
        self._environment = dict(environment)
        self._patch = pytest.MonkeyPatch()
        self._cwd = chdir(self.work)

    def __enter__(self) -> Self:
        global _inside
        for folder in (self.home, self.work, self.folder / "tmp"):
            folder.mkdir(parents=True, exist_ok=True)
        self._cwd.__enter__()
        for name in list(os.environ):
            self._patch.delenv(name)
        mine = {"HOME": str(self.home), "PATH": os.defpath, "TERM": "xterm", "COLUMNS": "80", "LANG": "C.UTF-8"}
        for name, value in (mine | self._environment).items():
            self._patch.setenv(name, value)
        self._patch.setattr(tempfile, "tempdir", str(self.folder / "tmp"))
        self._patch.setattr(sys, "dont_write_bytecode", True)
        _inside = self
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        global _inside
        _inside = None
        self._patch.undo()
        os.chdir("/")  # the folder may be gone
        self._cwd.__exit__(kind, error, _)

    def unasked(self, arguments: Sequence[str]) -> list[tuple[str, str]]:
        """What was refused though no argument names that place, or one in it or around it out there."""
        words = [part for argument in arguments for part in (argument, argument.partition("=")[2]) if part]
        named = [Path(os.path.realpath(os.path.expanduser(word))) for word in words]  # noqa: PTH111  # of any text
        outside = [place for place in named if not place.is_relative_to(self.folder)]

        def is_asked(refused: str) -> bool:
            return any(Path(refused).is_relative_to(each) or each.is_relative_to(refused) for each in outside)

        return [(event, place) for event, place in self.refused if not is_asked(place)]

    def run(self, arguments: Sequence[str], *, stdin: bytes = b"") -> Ended:
        """One command line, as if in pipes. Fails the test where it does not end."""
        streams = [io.TextIOWrapper(io.BytesIO(data), encoding="utf-8") for data in (stdin, b"", b"")]
        previous = signal.signal(signal.SIGALRM, _too_long)
        with pytest.MonkeyPatch.context() as patch:
            for name, stream in zip(("stdin", "stdout", "stderr"), streams, strict=True):
                patch.setattr(sys, name, stream)
            signal.alarm(CASE_S)
            try:
                code = _run(arguments)
            except _TooLong as error:
                raise AssertionError(f"it has not ended after {CASE_S} s: {arguments}") from error
            finally:
                signal.alarm(0)
                signal.signal(signal.SIGALRM, previous)
        out, err = (stream.buffer.getvalue().decode(errors="replace") for stream in streams[1:])  # type: ignore[attr-defined]
        return Ended(tuple(arguments), int(code), out, err)


def _run(arguments: Sequence[str]) -> int:
    """As `llama_cli.entry` does."""
    if arguments[:1] != ["__complete"]:
        return run(arguments)
    complete(list(arguments[1:]))
    return 0


def _too_long(number: int, frame: object) -> None:
    raise _TooLong


class _TooLong(BaseException):
    """A command line has not ended. No Exception: a command would make a failure of it."""


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    global _inside
    if _inside is None:
        return
    inside, _inside = _inside, None  # what is asked here is not looked at
    try:
        if event in _STARTS:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        if event in _KILLS:
            if arguments[1]:
                inside.refused.append((event, str(arguments)))
            raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
        if event == "socket.connect" and isinstance(arguments[1], tuple):
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        if event == "socket.getaddrinfo" and arguments[0] not in (None, "", "127.0.0.1", "localhost"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITES:
            _stay_inside(inside, event, arguments[0])
        # Below a folder that is open, `shutil.rmtree` names what it removes by a descriptor; it was asked about that.
        elif event in _CHANGES and not (event in ("os.remove", "os.rmdir") and arguments[1] != -1):
            for position in _CHANGES[event]:
                _stay_inside(inside, event, arguments[position])
    finally:
        _inside = inside


def _stay_inside(inside: Contained, event: str, place: Any) -> None:
    if not isinstance(place, (str, bytes, os.PathLike)):
        return
    path = os.fsdecode(place)
    whole = os.path.realpath(path)
    if whole not in _ALLOWED and not Path(whole).is_relative_to(inside.folder):
        inside.refused.append((event, whole))
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)


sys.addaudithook(_audit)
