"""Managed servers as processes: start one, wait until it answers, hand it signals, stop it with everything it started.

Knows the contract with `runtime.server` (its command line, its record, its exit codes) and process groups. Knows no
option of ours and prints nothing: commands say what happens.
"""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from llama_cli.console import ExitCode, Failure
from llama_cli.servers import records
from llama_cli.servers.env_file import VARIABLE, parse_env_file
from llama_cli.servers.records import Record
from runtime.config.home import private_folder
from runtime.errors import ConfigInvalid, Problem

DEFAULT_PORT = 8321
KILL_AFTER_S = 2.0
"""From a second request to end, which servers take as `now`, to killing what has not listened."""

TELL_AFTER_S = 0.5
"""How long a server may take to end before it is said what it waits for."""

_POLL_S = 0.05


def child_environment(
    base: Mapping[str, str], *, pairs: Sequence[str] = (), file: tuple[str, str] | None = None
) -> dict[str, str]:
    """The server's environment: `base`, over it the variables of a file, over those `NAME=VALUE` pairs.

    pairs: a bare `NAME` must be set in `base` already. file: its name and its text. Raises ConfigInvalid with every
    line that is wrong.
    """
    problems: list[Problem] = []
    environment = dict(base)
    if file is not None:
        environment |= parse_env_file(*file, base, problems)
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not VARIABLE.fullmatch(name):
            problems.append(Problem(message=f"`{name}` is not a variable name", path="--env"))
        elif equals:
            environment[name] = value
        elif name not in environment:
            problems.append(Problem(message=f"`{name}` is not set here, so there is nothing to pass on", path="--env"))
    if problems:
        raise ConfigInvalid(problems, what="environment")
    return environment


@dataclass(frozen=True, kw_only=True)
class Launch:
    """What a server is started with. python: the distribution's interpreter; port 0: any free one; None: the run
    config's.

    models, aliases (`NAME=MODEL`), require (provider ids), require_gpu: choices of one run that are not in the run
    config.
    """

    python: str
    run_yaml: str
    state_dir: str
    log_file: str
    host: str | None = None
    port: int | None = None
    log_level: str | None = None
    models: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    require: tuple[str, ...] = ()
    require_gpu: bool = False

    def command(self, record: Path, *, parent_fd: int | None = None) -> list[str]:
        """`python -I` keeps the user's folder and PYTHONPATH from standing in for our packages."""
        command = [self.python, "-I", "-m", "runtime.server", self.run_yaml]
        command += ["--state", self.state_dir, "--record", str(record), "--log-file", self.log_file]
        for option, value in (
            ("--host", self.host),
            ("--port", self.port),
            ("--log-level", self.log_level),
            ("--parent-fd", parent_fd),
        ):
            if value is not None:
                command += [option, str(value)]
        for option, values in (("--model", self.models), ("--alias", self.aliases), ("--require", self.require)):
            for text in values:
                command += [option, text]
        return [*command, "--require-gpu"] if self.require_gpu else command


class Server:
    """A server that this process has started, with its record. In front it also ends when this process does, however
    that ends.
    """

    def __init__(self, launch: Launch, record: Record, environment: Mapping[str, str], *, in_front: bool) -> None:
        self.record_path = record.path
        self._launch = record.launch
        self.error_file = Path(launch.log_file).with_suffix(".stderr")
        private_folder(self.error_file.parent)
        private_folder(Path(launch.state_dir))
        self.log_file = Path(launch.log_file)
        # The server appends to it; made here, nobody else reads what it logs.
        os.close(os.open(launch.log_file, os.O_WRONLY | os.O_CREAT, 0o600))
        self.log_began = self.log_file.stat().st_size
        """Where in its log this start begins: before it is what earlier ones wrote."""
        self.in_front = in_front
        self._lifeline: int | None = None
        if in_front:
            reader, self._lifeline = os.pipe()
            try:
                self.process = self._spawn(
                    launch.command(record.path, parent_fd=reader), environment, sys.stderr, (reader,)
                )
            finally:
                os.close(reader)
        else:
            with open(self.error_file, "wb", opener=_privately) as errors:  # Path.open takes no opener
                self.process = self._spawn(launch.command(record.path), environment, errors, ())

    def _spawn(
        self, command: list[str], environment: Mapping[str, str], errors: IO[Any], descriptors: tuple[int, ...]
    ) -> subprocess.Popen[bytes]:
        try:
            # A session of its own: Ctrl-C reaches us alone, and everything that the server starts can be found and
            # ended by its group.
            return subprocess.Popen(
                command,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                pass_fds=descriptors,
                start_new_session=True,
            )
        except OSError as error:
            raise Failure(
                f"cannot start `{command[0]}`: {error.strerror}",
                hint="the distribution's environment is damaged; build it again with `llama stack build --force`",
            ) from error

    def record(self) -> Record | None:
        """This start's; None where it is gone, or its id is another's by now."""
        record = records.read(self.record_path)
        return record if record is not None and record.launch == self._launch else None

    def is_settled(self) -> bool:
        """Whether it answers or has ended."""
        if self.process.poll() is not None:
            return True
        record = self.record()
        return record is not None and record.pid is not None and record.state in records.HEALTHY

    def ask_to_end(self) -> None:
        """Once: finish running requests, then end. Again: end now."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it and whatever it has started, now; returns when it has ended."""
        end_group(self.process.pid, group_members(self.process.pid))
        self.process.wait()

    def close(self, *, asked: bool = False) -> None:
        """After the server has ended: nothing that it started stays, and its record tells how it ended. asked: it was
        us who ended it.
        """
        self.process.wait()
        end_group(self.process.pid, group_members(self.process.pid))
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None
        record = self.record()
        if record is not None and record.state not in records.ENDED:
            state = "stopped" if asked else "failed" if record.state == "starting" else record.state
            records.rewrite(
                record, state=state, reason=describe_end(self.process.returncode), exit_code=self.exit_code()
            )

    def exit_code(self) -> int:
        """Its own exit code where that has a meaning of ours, `UNHEALTHY` otherwise. Only after it has ended."""
        code = self.process.returncode
        if code == ExitCode.USAGE:
            # An interpreter that does not know its own options ends so too; the server says it in its record.
            record = self.record()
            return code if record is not None and record.exit_code == code else ExitCode.UNHEALTHY
        return (
            code
            if code in (0, ExitCode.CONFIG, ExitCode.ACCESS, ExitCode.CONFLICT, ExitCode.NETWORK)
            else ExitCode.UNHEALTHY
        )

    def why_it_ended(self) -> str:
        """One line: the reason it gave, or what its process says."""
        record = self.record()
        return record.reason if record is not None and record.reason else describe_end(self.process.returncode)


class Signals:
    """Turns SIGINT, SIGTERM, SIGHUP and the end of a child into something to wait for instead of an interruption
    anywhere.

    A context manager for the main thread; the handlers from before come back at its end.
    """

    numbers = (
        (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)
        if sys.platform != "win32"
        else (signal.SIGINT, signal.SIGTERM)
    )

    def __enter__(self) -> Self:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._wakeup_before = signal.set_wakeup_fd(self._writer)
        self._handlers_before = {number: signal.signal(number, lambda *_: None) for number in self.numbers}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.set_wakeup_fd(self._wakeup_before)
        for number, handler in self._handlers_before.items():
            signal.signal(number, handler)
        os.close(self._reader)
        os.close(self._writer)

    def wait(self, timeout_s: float | None = None) -> list[int]:
        """The requests to end that have come, oldest first; empty after `timeout_s` seconds or a child's end."""
        ready, _, _ = select.select([self._reader], [], [], timeout_s)
        numbers = list(os.read(self._reader, 64)) if ready else []
        return [
            number for number in numbers if number in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", None))
        ]


def _privately(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def stop(record: Record, *, timeout_s: float, on_wait: Callable[[str], None] = lambda reason: None) -> str:
    """End a server that some other process has started; returns when it and its children are gone.

    It is asked to drain; after `timeout_s` seconds it is asked to end now, and killed if it does not listen.
    on_wait: told for what it waits, as the server says. Returns how it ended: `drained` or `killed`.
    """
    if record.state == records.UNREADABLE:
        raise records.unreadable(record)
    if record.pid is None:
        record = _when_it_has_a_pid(record, timeout_s)
    assert record.pid is not None
    members = group_members(record.pid)
    _signal(record, signal.SIGTERM)
    told: str | None = None
    began = time.monotonic()
    deadline = began + timeout_s
    while records.is_locked(record.path) and time.monotonic() < deadline:
        # An idle server is gone before there is anything to say.
        now = records.read(record.path) if time.monotonic() - began > TELL_AFTER_S else None
        if now is not None and now.state == "draining" and now.reason and now.reason != told:
            told = now.reason
            on_wait(told)
        time.sleep(_POLL_S)
    how = "drained"
    if records.is_locked(record.path):
        how = "killed"
        members |= group_members(record.pid)
        _signal(record, signal.SIGTERM)
        deadline = time.monotonic() + KILL_AFTER_S
        while records.is_locked(record.path) and time.monotonic() < deadline:
            time.sleep(_POLL_S)
    end_group(record.pid, members)
    deadline = time.monotonic() + KILL_AFTER_S
    while records.is_locked(record.path) or _left(members):
        if time.monotonic() > deadline:
            raise Failure(
                f"`{record.id}` (pid {record.pid}) does not end, even when killed",
                hint="look at what it waits for with `ps`",
            )
        time.sleep(_POLL_S)
    ended = records.read(record.path)
    if ended is not None and ended.state not in records.ENDED:
        records.rewrite(ended, state="stopped", reason=f"{how} by `llama stack stop`")
    return how


def group_members(group: int) -> dict[int, str]:
    """The processes of a group that a server leads: pid -> when it started, by which a pid that is used again is told
    apart.

    Empty where `group` leads no group, and where the system has no `/proc`.
    """
    members: dict[int, str] = {}
    proc = Path("/proc")
    for entry in proc.iterdir() if proc.is_dir() else ():
        if (
            entry.name.isdigit()
            and (stat := _stat(int(entry.name))) is not None
            and stat.group == group
            and stat.session == group
        ):
            members[int(entry.name)] = stat.started
    return members


def end_group(group: int, members: Mapping[int, str]) -> None:
    """Kill what is left of a server's group: the processes seen in it before, and those that are in it now. Waits for
    none of them.
    """
    for pid, started in {**members, **group_members(group)}.items():
        stat = _stat(pid)
        if stat is not None and stat.started == started and stat.group == group:
            _quietly_kill(pid)
    if not Path("/proc").is_dir():
        try:
            if os.getpgid(group) == group:
                os.killpg(group, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return


def _left(members: Mapping[int, str]) -> bool:
    """Whether one of these processes still is there; one that only waits for its parent to look is not."""
    return any((stat := _stat(pid)) is not None and stat.started == started for pid, started in members.items())


def memory_bytes(pid: int) -> int | None:
    """Resident memory of a server and of what it has started; None where the system does not tell."""
    pids = list(group_members(pid)) or [pid]
    total = 0
    for each in pids:
        try:
            resident = re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{each}/status").read_text(), re.MULTILINE)
        except OSError:
            continue
        total += int(resident[1]) * 1024 if resident else 0
    return total or None


def describe_end(returncode: int) -> str:
    """`it was killed by SIGKILL`, `it ended with exit code 1`."""
    if returncode >= 0:
        return f"it ended with exit code {returncode}"
    try:
        name = signal.Signals(-returncode).name
    except ValueError:
        name = f"signal {-returncode}"
    return f"it was killed by {name}"


@dataclass(frozen=True, kw_only=True)
class _Stat:
    group: int
    session: int
    started: str


def _stat(pid: int) -> _Stat | None:
    """Group, session and start time of a living process, from `/proc/<pid>/stat` (proc(5): fields 3, 5, 6 and 22)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The name, field 2, may hold blanks and brackets.
    rest = text.rpartition(")")[2].split()
    return None if rest[0] in "ZX" else _Stat(group=int(rest[2]), session=int(rest[3]), started=rest[19])


def _signal(record: Record, number: int) -> None:
    """Only while it holds its lock: then the pid that it wrote is its own."""
    if record.pid is not None and records.is_locked(record.path):
        try:
            os.kill(record.pid, number)
        except ProcessLookupError:
            return


def _quietly_kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _when_it_has_a_pid(record: Record, timeout_s: float) -> Record:
    deadline = time.monotonic() + max(timeout_s, records.UNLOCKED_GRACE_S)
    while time.monotonic() < deadline:
        now = records.read(record.path)
        if now is not None and now.pid is not None:
            return now
        if now is None or not now.alive:
            break
        time.sleep(_POLL_S)
    raise Failure(f"`{record.id}` never came up", hint=f"see `llama stack logs {record.id}`", code=ExitCode.UNHEALTHY)
