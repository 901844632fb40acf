"""A command as `exec` runs it: looked for before anything is started, below a keeper of its own, told signals once.

Knows the keeper's protocol, and the exit codes of a command that there is not. Knows no server.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from llama_cli.executing import keeper
from llama_cli.exits import ExitCode, Failure
from llama_cli.servers.process import REQUESTS, Signals, describe_end

PASSED_ON = (
    *(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT),
    *(signal.SIGUSR1, signal.SIGUSR2),
)
"""The signals that are the command's to answer."""

_OF_A_SIGNAL = 128
"""What shells add to the number of the signal that has ended a command."""


def program_of(name: str) -> str:
    """The path of the program that a name means, as execvp(3) looks for it.

    Raises Failure: NOT_FOUND where there is none, NOT_EXECUTABLE where it cannot be started.
    """
    if (found := shutil.which(name)) is not None:
        return found
    folders = [""] if "/" in name else os.get_exec_path()
    there = next((path for folder in folders if os.path.isfile(path := os.path.join(folder, name))), None)  # noqa: PTH113, PTH118  # of any text
    if there is not None:
        raise Failure(
            f"`{name}` cannot be executed",
            hint=f"`chmod +x {there}`, or name what runs it",
            code=ExitCode.NOT_EXECUTABLE,
        )
    if "/" in name and os.path.isdir(name):  # noqa: PTH112  # likewise
        raise Failure(f"`{name}` is a folder", hint="name a program", code=ExitCode.NOT_EXECUTABLE)
    where = "is it written right?" if "/" in name else "is it installed, and its folder on `PATH`?"
    raise Failure(f"there is no command `{name}`", hint=where, code=ExitCode.NOT_FOUND)


class KeptCommand:
    """A command that runs; a context, at whose end nothing of it is left. It has our standard streams, our folder, our
    process group and our terminal. environment: all of its variables.

    Raises Failure as `program_of` does where it turns out that it cannot be started.
    """

    def __init__(self, program: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._name = command[0]
        self._heard = b""
        self.code: int | None = None
        """Its exit code, once it has ended; that of a shell where a signal has ended it."""
        self.left = 0
        """How many processes of it could not be ended."""
        self.is_overdue = False
        """Whether it was ended since it took too long."""
        self.was_interrupted = False
        """Whether somebody wanted it to end."""
        self._not_its = frozenset(keeper.below(os.getpid()))
        keeper.take_in_orphans()  # should the keeper be killed, what it has looked after becomes ours
        self._socket, theirs = socket.socketpair()
        # Until the keeper has handlers for them. What comes meanwhile is waiting for us, too.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)
        try:
            os.set_inheritable(theirs.fileno(), True)
            numbers = ",".join(str(int(number)) for number in PASSED_ON if number not in before)
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", keeper.__file__, str(theirs.fileno()), numbers, program, *command],
                env=dict(environment),
                close_fds=False,  # what a shell has opened for the command, as for `<(...)`, is the command's
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.end()

    def wait(self, signals: Signals, *, limit_s: float | None = None) -> int:
        """Its exit code, once it has ended; signals that we get meanwhile are passed on. limit_s: from now on; after
        that it is ended, and its code is COMMAND_TIMEOUT.
        """
        end = None if limit_s is None else time.monotonic() + limit_s
        while self.code is None:
            left = None if end is None else max(0.0, end - time.monotonic())
            if left == 0:
                self.is_overdue = True
                self._say(keeper.END)
                self.end()
                return ExitCode.COMMAND_TIMEOUT
            for number in signals.wait(left, self._socket.fileno()):
                self.was_interrupted |= number in REQUESTS
                self._say(number)
            self._look(socket.MSG_DONTWAIT)
        return self.code

    def end(self) -> None:
        """End what is left of it. Returns when nothing is, or `left` says how much."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        while self._look():
            pass
        self._socket.close()
        if self._process.wait() != os.EX_OK:
            self._end_orphans()
        keeper.take_in_orphans(False)
        _reap(keeper.below(os.getpid(), self._not_its))

    def _end_orphans(self) -> None:
        """Kill what a keeper that was killed has left."""
        give_up = time.monotonic() + keeper.GIVE_UP_AFTER_S
        while (orphans := keeper.below(os.getpid(), self._not_its)) and time.monotonic() < give_up:
            for pid in orphans:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(keeper.KILL_AGAIN_S)
            _reap(orphans)
        self.left = len(orphans)

    def _say(self, byte: int) -> None:
        with suppress(OSError):  # it has ended, as the next look shows
            self._socket.send(bytes([byte]))

    def _look(self, how: int = 0) -> bool:
        """Take what the keeper has said. how: flags of recv(2). Returns whether it can say more."""
        try:
            heard = self._socket.recv(4096, how)
        except BlockingIOError:
            return True
        except OSError:
            heard = b""
        *lines, self._heard = (self._heard + heard).split(b"\n")
        for line in lines:
            self._take(*line.decode().split())
        if not heard and self.code is None:
            self.code = ExitCode.EXEC_FAILED
            why = describe_end(self._process.wait())
            raise Failure(f"what looks after `{self._name}` is gone: {why}", hint="run the command again")
        return bool(heard)

    def _take(self, what: str, number: str = "0") -> None:
        if what == "ended":
            code = os.waitstatus_to_exitcode(int(number))
            self.code = code if code >= 0 else _OF_A_SIGNAL - code
        elif what == "left":
            self.left = int(number)
        elif what == "failed":
            self.code = ExitCode.NOT_FOUND if int(number) == errno.ENOENT else ExitCode.NOT_EXECUTABLE
            hint = "if it is a script, is the program there that its first line names?"
            message = f"`{self._name}` cannot be executed: {os.strerror(int(number))}"
            raise Failure(message, hint=hint, code=self.code)


def _reap(pids: Iterable[int]) -> None:
    """Let go of those that have become our children and have ended."""
    for pid in pids:
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
