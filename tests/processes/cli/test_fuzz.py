"""Whatever is typed, and whatever lies in the home: a command ends with words and a documented code, leaves nothing
half written, touches nothing outside, and tells no secret. What this has found once is an example of its own.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import llama_cli.failures
from llama_cli.exits import Failure
from tests.support import fuzzing
from tests.support.contained import Contained, Ended

LINES, HOMES = 1000, 500
of_all = settings(max_examples=LINES, suppress_health_check=list(HealthCheck))
of_homes = settings(max_examples=HOMES, suppress_health_check=list(HealthCheck))


@pytest.fixture
def contained(tmp_path: Path) -> Iterator[Contained]:
    def unexpected(error: Exception, *_: object) -> Failure:
        raise error  # where it comes from says more than that it came

    with (
        pytest.MonkeyPatch.context() as patch,
        Contained(tmp_path / "inside", fuzzing.ENVIRONMENT) as inside,
    ):
        patch.setattr(llama_cli.failures, "_unexpected", unexpected)
        yield inside


def check(inside: Contained, line: list[str], places: dict[str, str]) -> Ended:
    for folder in (inside.llama_home, inside.work):
        shutil.rmtree(folder, ignore_errors=True)
    inside.work.mkdir()
    os.chdir(inside.work)
    fuzzing.lay_work(inside.work)
    fuzzing.lay(inside.llama_home, places)
    inside.refused.clear()
    ended = inside.run(line)
    fuzzing.checked(ended)
    assert fuzzing.half_written(inside.folder) == []
    assert inside.unasked(line) == [], line
    return ended


@of_all
@given(line=fuzzing.command_lines())
@example(line=["stack", "logs", "--json"])
@example(line=["stack", "run", "starter"])
@example(line=["--json", "stack"])
@example(line=["stack", "show", "--json", "--help"])
def test_any_command_line(contained: Contained, line: list[str]) -> None:
    check(contained, line, {})


@of_homes
@given(line=fuzzing.command_lines(), places=fuzzing.broken_homes)
def test_any_home(contained: Contained, line: list[str], places: dict[str, str]) -> None:
    check(contained, line, places)


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(
    shell=st.sampled_from(["bash", "zsh", "fish", "powershell"]),
    line=fuzzing.command_lines(),
    places=fuzzing.broken_homes,
    is_quoted=st.booleans(),
)
@example(shell="bash", line=["model", "prompt-format", ""], places={"models": "a link to itself"}, is_quoted=True)
def test_any_completion(
    contained: Contained, shell: str, line: list[str], places: dict[str, str], is_quoted: bool
) -> None:
    whole = shlex.join(["llama", *line]) if is_quoted else " ".join(["llama", *line])
    given = [whole] if shell in ("bash", "powershell") else line
    ended = check(contained, ["__complete", shell, *given], places)
    assert (ended.code, ended.err) == (0, ""), ended


def test_json_before_the_name_of_a_command_is_json(contained: Contained) -> None:
    shown = json.loads(contained.run(["--json", "stack", "show", "remote"]).out)
    assert shown["name"] == "remote"
    assert json.loads(contained.run(["--json", "stack"]).out)["command"] == "llama stack"


def test_a_record_that_does_not_say_what_was_served_is_named(contained: Contained) -> None:
    fuzzing.lay(contained.llama_home, {"servers/x.json": "a server"})
    ended = contained.run(["stack", "restart", "x"])
    assert ended.code == 1 and "the record of `x` does not say what" in ended.err, ended


def test_a_machine_without_another_process_is_said_to_be_that(contained: Contained) -> None:
    ended = contained.run(["stack", "run", "starter"])
    assert ended.code == 1
    assert "error: the system cannot start another process: Resource temporarily unavailable\n" in ended.err


def test_nothing_gets_out(contained: Contained, tmp_path: Path) -> None:
    for do, error in (
        (lambda: (tmp_path / "x").write_text("x"), PermissionError),
        (lambda: shutil.rmtree(tmp_path), PermissionError),
        (lambda: os.kill(os.getpid(), 15), ProcessLookupError),
        (lambda: subprocess.run(["true"], check=False), BlockingIOError),
        (lambda: socket.create_connection(("127.0.0.1", 1)), ConnectionRefusedError),
        (lambda: socket.create_connection(("example.com", 1)), socket.gaierror),
    ):
        with pytest.raises(error):
            do()
    assert [event for event, _ in contained.refused] == ["open", "shutil.rmtree", "os.kill"]
    assert len(contained.unasked(["stack", "ps"])) == 3
    assert contained.unasked(["run", f"--state={tmp_path}"])[0][0] == "os.kill"
