"""The server as a process by itself: what it prints, with which streams, and what it does to the paths that it is
given.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.terminal import HOSTILE, steering

ROOT = Path(__file__).parents[3]
USAGE = 2
RUN_YAML = "version: 2\ndistro_name: x\nserver: {port: 0}\n"


def ended(*arguments: str, cwd: Path, redirections: str = "") -> tuple[int, str]:
    """The exit code of a server that cannot start, and all that it printed."""
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {redirections}', "sh", sys.executable, "-m", "runtime.server", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout.decode()


@pytest.mark.parametrize("more", [[], [f"--{HOSTILE}"]], ids=["its own words", "those of its parser"])
def test_its_errors_steer_no_terminal(more: list[str], tmp_path: Path) -> None:
    words = [word.replace("\0", "") for word in (HOSTILE, "--state", "state", "--record-file", "record.json", *more)]
    code, said = ended(*words, cwd=tmp_path)
    assert code != 0
    assert r"\x1b]0;a title\x07" in said
    assert steering(said) == set()


@pytest.mark.parametrize("redirections", [">&- 2>&- <&-", "2>&-", "2> /dev/full"])
def test_what_it_prints_gets_into_no_file_of_its_own(redirections: str, tmp_path: Path) -> None:
    given = ("--state", "state", "--record-file", "record.json", "--log-file", "server.log")
    code, said = ended("nowhere.yaml", *given, cwd=tmp_path, redirections=redirections)
    record = json.loads((tmp_path / "record.json").read_text())
    assert (record["state"], record["exit_code"], said) == ("failed", code, "")
    assert "nowhere.yaml" in record["reason"]
    for line in (tmp_path / "server.log").read_text().splitlines():
        json.loads(line)


def refused(option: str, place: Path, tmp_path: Path) -> str:
    """Words for a path that the server cannot use, which must be as it was afterwards."""
    before = place.lstat()
    given = {"--state": "state", "--record-file": "record.json", "--log-file": "server.log", option: str(place)}
    run_yaml = tmp_path / "run.yaml"
    run_yaml.write_text(RUN_YAML)
    code, said = ended(str(run_yaml), *(word for pair in given.items() for word in pair), cwd=tmp_path)
    assert (code, "Traceback" in said) == (USAGE, False), said
    assert (place.lstat().st_ino, place.lstat().st_mode) == (before.st_ino, before.st_mode)
    return said


@pytest.mark.parametrize("option", ["--record-file", "--log-file"])
def test_a_pipe_that_nobody_reads_and_a_folder_are_named(option: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "null").symlink_to("pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "null", "folder"):
        assert f"/{name}` cannot be written: " in refused(option, tmp_path / name, tmp_path)


def test_a_record_is_no_device(tmp_path: Path) -> None:
    try:
        os.mknod(tmp_path / "device", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    except OSError as error:
        pytest.skip(f"this user may not make a device here: {error}")
    assert "it is not a regular file" in refused("--record-file", tmp_path / "device", tmp_path)


def test_a_state_that_is_a_file_is_a_wrong_option(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    assert "`--state`" in refused("--state", tmp_path / "file", tmp_path)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_log_goes_into_a_pipe_and_leaves_it_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "run.yaml").write_text(RUN_YAML)
    (tmp_path / "file").write_text("in the way of the state")
    monkeypatch.setenv("LLAMA_STACK_LOGGING", "nothing=info")  # which is worth a warning
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    ended("run.yaml", "--state", "file", "--record-file", "record.json", "--log-file", "pipe", cwd=tmp_path)
    logged = [json.loads(line) for line in os.read(reader, 65536).splitlines()]
    os.close(reader)
    assert [entry["message"] for entry in logged] == ["unknown log category"]
    assert (tmp_path / "pipe").is_fifo()
