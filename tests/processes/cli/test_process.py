"""The parts of managed processes that need no server: environments, command lines, groups, signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from llama_cli.servers import process
from llama_cli.servers.process import Launch, Signals, child_environment
from runtime.errors import ConfigInvalid


def test_a_pair_wins_over_the_file_and_the_file_over_the_shell() -> None:
    file = ("keys.env", "A=file\nB=file\nC\nD=\n")
    environment = child_environment({"A": "shell", "B": "shell", "C": "shell"}, pairs=["A=pair=more", "C"], file=file)
    assert environment == {"A": "pair=more", "B": "file", "C": "shell", "D": ""}


def test_a_line_of_a_file_without_a_value_is_told_and_not_shown() -> None:
    with pytest.raises(ConfigInvalid) as raised:
        child_environment({}, file=("keys.env", "A=1\nhf_looks_like_a_name\n"))
    [problem] = raised.value.problems
    assert (problem.file, problem.line) == ("keys.env", 2)
    assert problem.message == "no `=`, and no variable of this name is set here to be passed on"


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("K=plain", "plain"),
        ("export K = spaced ", "spaced"),
        ("K='quoted # not a comment'", "quoted # not a comment"),
        ('K="a b"', "a b"),
        ("K=value # comment", "value"),
        ("K=with#hash", "with#hash"),
        ("K=a=b", "a=b"),
    ],
)
def test_lines_of_a_file(line: str, value: str) -> None:
    assert child_environment({}, file=("f", f"\n# comment\n{line}\n")) == {"K": value}


def test_every_wrong_line_is_named() -> None:
    with pytest.raises(ConfigInvalid) as raised:
        child_environment({}, pairs=["no-name=1", "UNSET"], file=("f", "A=1\n?\n"))
    assert [(problem.file, problem.line, problem.path) for problem in raised.value.problems] == [
        ("f", 2, ""),
        (None, None, "--env"),
        (None, None, "--env"),
    ]


def test_a_value_is_not_repeated_where_its_name_is_wrong() -> None:
    with pytest.raises(ConfigInvalid) as raised:
        child_environment({}, pairs=["MY-KEY=sk-secret"], file=("f", "MY-KEY=sk-secret\n"))
    assert "`MY-KEY` is not a variable name" in raised.value.message
    assert "secret" not in raised.value.message


def test_the_least_command_line() -> None:
    launch = Launch(python="/py", run_yaml="/r.yaml", state_dir="/state", log_file="/log")
    assert launch.command(Path("/record.json")) == [
        *("/py", "-I", "-m", "runtime.server", "/r.yaml"),
        *("--state", "/state", "--record", "/record.json", "--log-file", "/log"),
    ]


def test_the_whole_command_line() -> None:
    launch = Launch(
        python="/py",
        run_yaml="/r.yaml",
        state_dir="/state",
        log_file="/log",
        host="::1",
        port=0,
        log_level="debug",
        models=("a", "b"),
        aliases=("x=a",),
        require=("vllm",),
        require_gpu=True,
    )
    assert launch.command(Path("/record.json"), parent_fd=7)[11:] == [
        *("--host", "::1", "--port", "0", "--log-level", "debug", "--parent-fd", "7"),
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


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_a_group_is_ended_with_children_that_outlive_their_parent() -> None:
    parent = parent_of_a_sleeper()
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    members = process.group_members(parent.pid)
    assert members.keys() == {parent.pid, child}
    assert (process.memory_bytes(parent.pid) or 0) > 2_000_000
    parent.kill()
    parent.wait()
    assert process.group_members(parent.pid).keys() == {child}
    process.end_group(parent.pid, members)
    # The pipe is closed when the last of them has gone.
    assert parent.stdout.read() == ""
    parent.stdout.close()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_a_pid_that_is_used_again_is_left_alone() -> None:
    bystander = parent_of_a_sleeper()
    assert bystander.stdout is not None
    child = int(bystander.stdout.readline())
    process.end_group(bystander.pid + 1_000_000, {bystander.pid: "0", child: "0"})
    assert bystander.poll() is None
    assert process.group_members(bystander.pid).keys() == {bystander.pid, child}
    process.end_group(bystander.pid, {})
    bystander.wait()
    bystander.stdout.close()


def test_signals_are_waited_for_and_handlers_come_back() -> None:
    before = {number: signal.getsignal(number) for number in Signals.numbers}
    with Signals() as signals:
        assert signals.wait(0) == []
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        assert sorted(signals.wait(5)) == sorted([signal.SIGINT, signal.SIGTERM])
        child = subprocess.Popen([sys.executable, "-c", ""])
        assert signals.wait(30) == []  # the child's end wakes it, and is no request to end
        assert child.wait() == 0
    assert {number: signal.getsignal(number) for number in Signals.numbers} == before
