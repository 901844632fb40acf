"""A managed server as a process of ours: start it, wait until it answers, pass it signals, end it with everything it
started.

Knows the contract with `runtime.server`: its command line, its record, its exit codes. Knows no option of ours and
prints nothing: commands say what happens.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from llama_cli.exits import ExitCode, Failure
from llama_cli.servers import records
from llama_cli.servers.records import Record
from runtime.config.home import private_folder

START_TIMEOUT_S = 300.0
"""How long a server can take to become ready, unless the user says otherwise."""

KILL_AFTER_S = 2.0
"""From a second request to end, which servers take as `now`, to killing a server that has not listened."""

SAY_AFTER_S = 0.5
"""How long a server can take to end before the command says what it waits for."""

REQUESTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals that ask a command, and with it its server, to end."""

_PASSED_ON = (ExitCode.DONE, ExitCode.CONFIG, ExitCode.ACCESS, ExitCode.CONFLICT, ExitCode.NETWORK)


def server_command(record: Record, options: Sequence[str]) -> list[str]:
    """The command line of a server. options: further ones of `runtime.server`.

    `python -I` keeps the user's folder and PYTHONPATH from standing in for our packages.
    """
    assert record.python and record.config and record.state_dir and record.log_file
    command = [record.python, "-I", "-m", "runtime.server", record.config, "--state", record.state_dir]
    return [*command, "--record-file", str(record.path), "--log-file", record.log_file, *options]


class ManagedServer:
    """A server that this process has started, with its record.

    in_front: it also ends when this process does, however that ends. shows_log: what it logs is on our standard error
    too. log_began: the byte of its log where this start begins; before it is what earlier ones wrote.
    """

    def __init__(
        self,
        command: Sequence[str],
        record: Record,
        variables: Mapping[str, str],
        *,
        in_front: bool,
        shows_log: bool,
    ) -> None:
        assert record.state_dir and record.log_file
        self.shows_log = shows_log
        self.log_file = Path(record.log_file)
        self.error_file = self.log_file.with_suffix(".stderr")
        private_folder(self.log_file.parent)
        _make_state_folder(Path(record.state_dir))
        # The server appends to it; made here, it is readable by nobody else.
        os.close(os.open(self.log_file, os.O_WRONLY | os.O_CREAT, 0o600))
        self.log_began = self.log_file.stat().st_size
        self._record = record
        self._lifeline: int | None = None
        errors = os.dup(sys.stderr.fileno()) if shows_log else self._new_error_file()
        passed: list[int] = []
        if in_front:
            ours, self._lifeline = os.pipe()
            passed.append(ours)
            command = [*command, "--parent-fd", str(ours), *(() if shows_log else ("--log-file-only",))]
        try:
            # A session of its own: Ctrl-C reaches only us, and everything that the server starts can be found and
            # ended by its group.
            self.process = subprocess.Popen(
                command,
                env=dict(variables),
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                pass_fds=passed,
                start_new_session=True,
            )
        except OSError as error:
            raise Failure(
                f"cannot start `{command[0]}`: {error.strerror}",
                hint=f"its environment is damaged: remove `{Path(command[0]).parent.parent}` and run the command again",
            ) from error
        finally:
            for descriptor in (errors, *passed):
                os.close(descriptor)

    def _new_error_file(self) -> int:
        return os.open(self.error_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)

    def record(self) -> Record | None:
        """This start's; None where it is gone, or a later start has its id."""
        record = records.read(self._record.path)
        return record if record is not None and record.launch == self._record.launch else None

    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def is_settled(self) -> bool:
        """Whether it answers or has ended."""
        if self.has_ended():
            return True
        record = self.record()
        return record is not None and record.pid is not None and record.state in records.HEALTHY

    @property
    def was_stopped(self) -> bool:
        """Whether somebody has asked it to end, at any time of its life. Only after it has ended."""
        return self.process.returncode in (
            ExitCode.DONE,
            ExitCode.INTERRUPTED,
            *(-number for number in REQUESTS),
        )

    def ask_to_end(self) -> None:
        """Once: finish running requests, then end. Again: end now."""
        self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it and whatever it has started, now; returns when it has ended."""
        from llama_cli.servers import process_group

        process_group.kill(self.process.pid)
        self.process.kill()
        self.process.wait()

    def close(self, *, asked: bool) -> None:
        """After it has ended: ends what it started, and notes how it ended. asked: this process ended it."""
        self.kill()
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None
        record = self.record()
        if record is not None and record.state not in records.ENDED:
            state = "stopped" if asked else "failed" if record.state == "starting" else record.state
            reason = describe_end(self.process.returncode)
            records.rewrite(record, state=state, reason=reason, exit_code=self.exit_code())

    def exit_code(self) -> int:
        """Its own exit code where that has a meaning of ours, `UNHEALTHY` otherwise. Only after it has ended."""
        code: int = self.process.returncode
        record = self.record()
        # An interpreter that does not know its own options also ends with USAGE; a server says it in its record.
        is_usage = code == ExitCode.USAGE and record is not None and record.exit_code == code
        return code if code in _PASSED_ON or is_usage else ExitCode.UNHEALTHY

    def why_it_ended(self) -> str:
        """One line: the reason it gave, or what its process says."""
        record = self.record()
        return record.reason if record is not None and record.reason else describe_end(self.process.returncode)


class Signals:
    """Turns signals and the end of a child into something to wait for instead of an interruption anywhere. requests:
    those that are waited for; one that whoever started us has switched off, as `nohup` does, stays off.

    A context manager for the main thread; the handlers from before come back at its end.
    """

    def __init__(self, requests: Sequence[signal.Signals] = REQUESTS) -> None:
        self._requests = [number for number in requests if signal.getsignal(number) is not signal.SIG_IGN]

    def __enter__(self) -> Self:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._wakeup_before = signal.set_wakeup_fd(self._writer)
        numbers = (*self._requests, signal.SIGCHLD)
        self._handlers_before = {number: signal.signal(number, lambda *_: None) for number in numbers}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.set_wakeup_fd(self._wakeup_before)
        for number, handler in self._handlers_before.items():
            signal.signal(number, handler)
        os.close(self._reader)
        os.close(self._writer)

    def wait(self, timeout_s: float | None = None, *others: int) -> list[int]:
        """The requests that have come, oldest first; empty after `timeout_s` seconds, a child's end, or once one of
        the other descriptors can be read.
        """
        ready, _, _ = select.select([self._reader, *others], [], [], timeout_s)
        read = os.read(self._reader, 64) if self._reader in ready else b""
        return [number for number in read if number in self._requests]


def _make_state_folder(folder: Path) -> None:
    """Raises Failure on a file system that makes no folders, such as `/proc`; OSError for what any of them refuses."""
    try:
        private_folder(folder)
    except FileNotFoundError as error:
        raise Failure(f"`{folder}` cannot be made", hint="name another folder with `--state`") from error


def describe_end(returncode: int) -> str:
    """`it was killed by SIGKILL`, `it ended with exit code 1`."""
    if returncode >= 0:
        return f"it ended with exit code {returncode}"
    try:
        name = signal.Signals(-returncode).name
    except ValueError:
        name = f"signal {-returncode}"
    return f"it was killed by {name}"
