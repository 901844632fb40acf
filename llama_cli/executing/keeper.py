"""The parent of a command that `exec` runs: ends it, and whatever it has started, once `exec` is gone or says so.

A program of its own, `python -I -S keeper.py SOCKET NUMBERS PROGRAM COMMAND...`, of the standard library alone:

    exec <──socket──> keeper ──> command ──> whatever that starts

All are in one process group, so that a terminal treats the command as if nothing stood above it: Ctrl-C and Ctrl-Z, the
foreground, pipelines. Where the system can (Linux), what loses its parent below becomes the keeper's child, so that
nothing gets away by daemonising; elsewhere what has done so is left. Knows processes and signals, no server.

exec sends single bytes: the number of a signal to pass on, or `END`. The keeper sends lines: `started`,
`failed ERRNO`, `ended STATUS` as waitpid(2) has it, `left COUNT` of processes that could not be ended.
"""

from __future__ import annotations

import errno
import os
import select
import signal
import sys
import time
from contextlib import suppress

TYPE_CHECKING = False  # as `typing` has it, which would take as long as the rest of this program's start
if TYPE_CHECKING:
    from collections.abc import Container
    from typing import NoReturn

END = 0
GRACE_S = 5.0
"""From SIGTERM to SIGKILL for what is to end."""
GIVE_UP_AFTER_S = 5.0
"""Of killing what cannot be killed, such as another user's process."""
KILL_AGAIN_S = 0.05
_TAKEN_FOR_S = 10.0
"""How long a signal that we got counts as one that the whole group got, and with it the command."""

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
_STOPS = (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
_OF_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)
"""What an interpreter ignores at its start, and no command expects."""


def main() -> None:
    socket, numbers, program, *command = sys.argv[1:]
    keeper = Keeper(int(socket), [int(number) for number in numbers.split(",") if number])
    if keeper.start(program, command):
        keeper.look_after()
    keeper.end_all()
    os._exit(os.EX_OK)  # an interpreter takes its time to tidy up


class Keeper:
    """numbers: of the signals that are passed on, all of them blocked so far."""

    def __init__(self, socket: int, numbers: list[int]) -> None:
        self._socket = socket
        os.set_inheritable(socket, False)
        self._exec = os.getppid()
        self._command = 0
        self._blocked = numbers
        self._numbers = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
        self._got: dict[int, list[float]] = {number: [] for number in self._numbers}
        take_in_orphans()
        self._woken, write = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        for number in (*self._numbers, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)

    def start(self, program: str, command: list[str]) -> bool:
        """Whether the command runs; otherwise exec is told why not."""
        told, telling = os.pipe()
        # What came until now was not for the command, which was not there: exec passes it on.
        for number in signal.sigpending() & set(self._numbers):
            signal.sigwait({number})
        keeper = os.getpid()
        self._command = os.fork()
        if self._command == 0:
            self._become(program, command, keeper, telling)
        os.close(telling)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self._blocked)
        code = os.read(told, 16)  # nothing: the pipe was closed by a program that runs, or by an end before it did
        os.close(told)
        self._tell(f"failed {code.decode()}" if code else "started")
        return not code

    def _become(self, program: str, command: list[str], keeper: int, telling: int) -> NoReturn:
        """In the process that is to be the command."""
        code = errno.ENOEXEC
        try:
            for number in (*self._numbers, *_OF_PYTHON):
                signal.signal(number, signal.SIG_DFL)
            _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != keeper:
                os._exit(os.EX_OSERR)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, self._blocked)
            try:
                os.execv(program, command)  # noqa: S606  # what this is for
            except OSError as error:
                if error.errno != errno.ENOEXEC:
                    raise
                # A script without `#!`, as execvp(3) does it.
                os.execv("/bin/sh", ["/bin/sh", program, *command[1:]])  # noqa: S606  # likewise
        except OSError as error:
            code = error.errno or code
        finally:
            os.write(telling, str(code).encode())
            os._exit(os.EX_OSERR)

    def look_after(self) -> None:
        """Returns once the command has ended, exec is gone, or has said so."""
        while True:
            ready, _, _ = select.select([self._socket, self._woken], [], [])
            said = self._heard() if self._socket in ready else None
            self._note_signals()  # after what exec has said of one, so that what the whole group got is here as well
            if self._command_has_ended() or said == b"" or END in (said or b""):
                return
            for number in said or b"":
                self._pass_on(number)

    def _heard(self) -> bytes:
        """What exec says; nothing where it is gone."""
        try:
            return os.read(self._socket, 64)
        except ConnectionError:
            return b""

    def _note_signals(self) -> None:
        with suppress(BlockingIOError):
            for number in os.read(self._woken, 256):
                if number in self._got:
                    self._got[number].append(time.monotonic())

    def _pass_on(self, number: int) -> None:
        """To the command, unless it has the signal already: what the whole group gets, we get too. Of two that are
        alike and come before we could run, we get one, and the command may get three.
        """
        got = self._got.setdefault(number, [])
        now = time.monotonic()
        while got:
            if now - got.pop(0) < _TAKEN_FOR_S:
                return
        with suppress(ProcessLookupError, PermissionError):
            os.kill(self._command, number)

    def _command_has_ended(self) -> bool:
        """Whether it has, in which case exec is told how. What else has ended below is cleared away."""
        for pid, status in _changed():
            if pid == self._command and os.WIFSTOPPED(status):
                # It has stopped itself, and a shell that waits for exec does not see it: what stopped the whole group
                # would have stopped us too.
                if os.WSTOPSIG(status) in _STOPS and os.getppid() == self._exec:
                    os.kill(self._exec, signal.SIGTSTP)
            elif pid == self._command:
                self._tell(f"ended {status}")
                self._command = 0
                return True
        return False

    def end_all(self) -> None:
        """End whatever there is below us, in good order for `GRACE_S`, then not."""
        if self._is_alone():
            return
        for number in (signal.SIGTERM, signal.SIGCONT):  # who is stopped would not see the former
            self._signal_all(number)
        term = time.monotonic() + GRACE_S
        while not self._is_alone() and (left := term - time.monotonic()) > 0:
            select.select([self._woken], [], [], left)
        kill = time.monotonic() + GIVE_UP_AFTER_S
        while not self._is_alone():
            if time.monotonic() > kill:
                self._tell(f"left {len(below(os.getpid()))}")
                return
            self._signal_all(signal.SIGKILL)
            select.select([self._woken], [], [], KILL_AGAIN_S)

    def _is_alone(self) -> bool:
        """Whether nothing is left below us."""
        with suppress(BlockingIOError):
            while os.read(self._woken, 256):
                pass
        for pid, status in _changed():
            if pid == self._command and not os.WIFSTOPPED(status):
                self._tell(f"ended {status}")
                self._command = 0
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            # Where those that lost their parent become ours, there is nobody else.
            return True
        return False

    def _signal_all(self, number: int) -> None:
        for pid in below(os.getpid()):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)

    def _tell(self, line: str) -> None:
        with suppress(OSError):  # exec is gone
            os.write(self._socket, f"{line}\n".encode())


def take_in_orphans(does: bool = True) -> None:
    """Whether what loses its parent below this process becomes its child, where the system can."""
    _prctl(_PR_SET_CHILD_SUBREAPER, int(does))


def _prctl(option: int, argument: int) -> None:
    """Linux's prctl(2); elsewhere nothing."""
    if sys.platform == "linux":
        import ctypes

        call = ctypes.CDLL(None).prctl
        call.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
        call(option, argument, 0, 0, 0)


def _changed() -> list[tuple[int, int]]:
    """The children that have ended or stopped since, with their statuses."""
    found = []
    with suppress(ChildProcessError):
        while (one := os.waitpid(-1, os.WNOHANG | os.WUNTRACED))[0]:
            found.append(one)
    return found


def below(root: int, past: Container[int] = ()) -> list[int]:
    """All processes below one, those nearer to it first. past: neither these nor what is below them."""
    children: dict[int, list[int]] = {}
    for pid, parent in _parents():
        if pid not in past:
            children.setdefault(parent, []).append(pid)
    found = list(children.get(root, ()))
    for pid in found:
        found += children.get(pid, ())
    return found


def _parents() -> list[tuple[int, int]]:
    """Every process with its parent."""
    if not os.path.isdir("/proc/self"):  # noqa: PTH112  # pathlib takes as long to import as all else here
        return _parents_by_ps()
    found = []
    for name in os.listdir("/proc"):  # noqa: PTH208  # likewise
        if name.isdigit():
            with suppress(OSError, ValueError), open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123  # likewise
                # proc_pid_stat(5): the name in parentheses can hold anything, also parentheses.
                found.append((int(name), int(file.read().rpartition(b")")[2].split()[1])))
    return found


def _parents_by_ps() -> list[tuple[int, int]]:
    import subprocess

    listed = subprocess.run(["/bin/ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=False).stdout
    return [(int(pid), int(parent)) for pid, parent in (line.split() for line in listed.splitlines())]


if __name__ == "__main__":
    main()
