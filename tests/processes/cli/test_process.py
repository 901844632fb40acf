"""The parts of managed processes that need no server: variables, command lines, groups, signals."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from llama_cli.exits import Failure
from llama_cli.servers import process, process_group, records
from llama_cli.servers.choices import Choices
from llama_cli.servers.process import REQUESTS, ManagedServer, Signals, server_command
from llama_cli.servers.records import Record
from llama_cli.servers.starting import wait_until_ready
from llama_cli.servers.variables import read_variables
from runtime.errors import ConfigInvalid


def variables_of(monkeypatch: pytest.MonkeyPatch, *pairs: str, file: str = "", **ours: str) -> dict[str, str]:
    """What a server gets that is started with these pairs, a file with this text, and nothing else of ours set."""
    monkeypatch.setattr(os, "environ", ours)
    monkeypatch.setattr("sys.stdin", io.StringIO(file))
    return read_variables(pairs, "-")[0]


def test_a_pair_wins_over_the_file_and_the_file_over_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    found = variables_of(
        monkeypatch, "A=pair=more", "C", file="A=file\nB=file\nC\nD=\n", A="shell", B="shell", C="shell"
    )
    assert found == {"A": "pair=more", "B": "file", "C": "shell", "D": ""}


def test_a_line_of_a_file_without_a_value_is_named_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigInvalid) as raised:
        variables_of(monkeypatch, file="A=1\nhf_looks_like_a_name\n")
    [problem] = raised.value.problems
    assert (problem.file, problem.line) == ("standard input", 2)
    assert problem.message == "no `=`, and no variable of this name is set here to be passed on"


def test_every_wrong_line_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigInvalid) as raised:
        variables_of(monkeypatch, "no-name=1", "UNSET", file="A=1\n\n\n?\n")
    assert [(problem.file, problem.line, problem.path) for problem in raised.value.problems] == [
        ("standard input", 4, ""),
        (None, None, "--env"),
        (None, None, "--env"),
    ]


def test_a_value_is_not_repeated_where_its_name_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigInvalid) as raised:
        variables_of(monkeypatch, "MY-KEY=sk-secret", file="MY-KEY=sk-secret\n")
    assert "`MY-KEY` is not a variable name" in raised.value.message
    assert "secret" not in raised.value.message


@pytest.mark.skipif(os.geteuid() != 0 or not Path("/proc/self").exists(), reason="others may not write in /proc at all")
def test_a_state_folder_where_no_folder_can_be_made_is_no_bug_of_ours(tmp_path: Path) -> None:
    paths = {"log_file": str(tmp_path / "logs" / "a.log"), "state_dir": "/proc/state", "path": tmp_path / "a.json"}
    record = Record(id="a", name="a", state="starting", alive=False, **paths)  # type: ignore[arg-type]  # each of its own type
    with pytest.raises(Failure, match="`/proc/state` cannot be made"):
        ManagedServer(["true"], record, {}, in_front=False, shows_log=False)


def test_a_start_counts_as_one_however_long_its_interpreter_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine its id could be given to another, and its record and state be removed."""
    monkeypatch.setenv("LLAMA_HOME", str(tmp_path))
    places = {"log_file": str(tmp_path / "logs" / "a.log"), "state_dir": str(tmp_path / "state")}
    record = records.reserve("a", lambda server_id: places)
    os.utime(record.path, (0, 0))
    monkeypatch.setattr(records, "UNLOCKED_GRACE_S", 0.1)
    server = ManagedServer(["sleep", "60"], record, os.environ, in_front=False, shows_log=False)
    with Signals() as signals, pytest.raises(Failure, match="`a` is not ready after"):
        wait_until_ready(server, record, signals, timeout_s=0.5, goals=())
    monkeypatch.setattr(records, "UNLOCKED_GRACE_S", 60.0)
    assert records.records()[0].seen_state == "starting"


def test_the_least_command_line() -> None:
    facts = {"config": "/r.yaml", "state_dir": "/state", "log_file": "/log", "path": Path("/record.json")}
    options = {"python": "/py"}
    record = Record(id="a", name="a", state="starting", options=options, alive=True, **facts)  # type: ignore[arg-type]  # each of its own type
    assert server_command(record, Choices(target="starter").server_options()) == [
        *("/py", "-I", "-m", "runtime.server", "/r.yaml"),
        *("--state", "/state", "--record-file", "/record.json", "--log-file", "/log"),
    ]


def test_all_options_of_a_server() -> None:
    choices = Choices(
        target="starter",
        host="::1",
        port=0,
        log_level="debug",
        models=("a", "b"),
        aliases=("x=a",),
        require=("vllm",),
        require_gpu=True,
    )
    assert choices.server_options() == [
        *("--host", "::1", "--port", "0", "--log-level", "debug"),
        *("--model", "a", "--model", "b", "--alias", "x=a", "--require", "vllm", "--require-gpu"),
    ]


@pytest.mark.parametrize(
    ("returncode", "text"),
    [(1, "it ended with exit code 1"), (-9, "it was killed by SIGKILL"), (-250, "it was killed by signal 250")],
)
def test_an_end_in_words(returncode: int, text: str) -> None:
    assert process.describe_end(returncode) == text


def parent_of_a_sleeper() -> subprocess.Popen[str]:
    """A process in a session of its own that has a child, and prints the child's pid."""
    script = "import subprocess, sys, signal\n"
    script += "child = subprocess.Popen([sys.executable, '-c', 'import signal; print(1, flush=True); signal.pause()'],"
    script += " stdout=subprocess.PIPE)\nchild.stdout.readline()\nprint(child.pid, flush=True)\nsignal.pause()\n"
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, start_new_session=True)


def test_a_group_is_ended_with_children_that_outlive_their_parent() -> None:
    parent = parent_of_a_sleeper()
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    members = process_group.members(parent.pid)
    assert {member.pid for member in members} == {parent.pid, child}
    assert (process_group.memory_bytes(parent.pid) or 0) > 2_000_000
    parent.kill()
    parent.wait()
    assert {member.pid for member in process_group.members(parent.pid)} == {child}
    process_group.kill(parent.pid, members)
    # The pipe is closed when the last of them has gone.
    assert parent.stdout.read() == ""
    parent.stdout.close()


def test_a_process_that_is_in_no_such_group_is_left_alone() -> None:
    bystander = parent_of_a_sleeper()
    assert bystander.stdout is not None
    child = int(bystander.stdout.readline())
    seen = process_group.members(bystander.pid)
    process_group.kill(bystander.pid + 1_000_000, seen)
    assert bystander.poll() is None
    assert {member.pid for member in process_group.members(bystander.pid)} == {bystander.pid, child}
    process_group.kill(bystander.pid)
    bystander.wait()
    bystander.stdout.close()


NUMBERS = (*REQUESTS, signal.SIGCHLD)


def test_signals_are_waited_for_and_handlers_come_back() -> None:
    before = {number: signal.getsignal(number) for number in NUMBERS}
    with Signals() as signals:
        assert signals.wait(0) == []
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        assert sorted(signals.wait(5)) == sorted([signal.SIGINT, signal.SIGTERM])
        child = subprocess.Popen([sys.executable, "-c", ""])
        assert signals.wait(30) == []  # the child's end wakes it, and is no request to end
        assert child.wait() == 0
    assert {number: signal.getsignal(number) for number in NUMBERS} == before


def test_a_signal_that_was_switched_off_stays_off() -> None:
    """As `nohup` does it, whose server is to outlive the terminal."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Signals() as signals:
            os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGTERM)
            assert signals.wait(5) == [signal.SIGTERM]
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


_DRAINS_FOR_EVER = """
import fcntl, json, os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: os.write(1, b"asked\\n"))
with open(sys.argv[1], "w") as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    file.write(json.dumps({"name": "busy", "state": "ready", "pid": os.getpid()}))
    file.flush()
    os.write(1, b"up\\n")
    while True:
        signal.pause()
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_waiting_for_what_drains_ends_at_once_when_interrupted(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    (tmp_path / "servers").mkdir()
    server = [sys.executable, "-c", _DRAINS_FOR_EVER, str(tmp_path / "servers" / "busy.json")]
    command = [sys.executable, "-m", "llama_cli.main", "stack", "stop", "busy", "--timeout", "10m"]
    with subprocess.Popen(server, stdout=subprocess.PIPE, start_new_session=True) as busy:
        assert busy.stdout is not None
        assert busy.stdout.readline() == b"up\n"
        ours = {**os.environ, "LLAMA_HOME": str(tmp_path)}
        stopping = subprocess.Popen(command, env=ours, stderr=subprocess.DEVNULL)
        try:
            assert busy.stdout.readline() == b"asked\n"
            stopping.send_signal(number)
            assert stopping.wait(30) == code
            assert busy.poll() is None
        finally:
            busy.kill()
            stopping.kill()
            stopping.wait()
