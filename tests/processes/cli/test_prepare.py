"""What `run` does before a server starts, in a process of its own: what comes back, and that it never stays behind.

The index is a listener that never answers, so that a build is under way for as long as a test wants it to be.
"""

from __future__ import annotations

import json
import os
import pickle
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

import runtime
from llama_cli.exits import Failure
from llama_cli.packages.environment import Environment
from llama_cli.servers import prepare, records, started_with
from llama_cli.servers.choices import Choices
from llama_cli.servers.records import AlreadyRunning
from llama_cli.servers.serve import serve
from llama_cli.terminal import console

RUN_YAML = "version: 2\ndistro_name: mine\napis: [inspect]\nproviders: {}\n"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LLAMA_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def index() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        yield listener


def from_index(listener: socket.socket, tmp_path: Path) -> dict[str, str]:
    """Our environment, with packages from there and none cached."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("UV_", "PIP_"))}
    return kept | {
        "PYTHONPATH": str(Path(runtime.__file__).parents[1]),
        "UV_INDEX_URL": f"http://127.0.0.1:{listener.getsockname()[1]}/simple",
        "UV_CACHE_DIR": str(tmp_path / "cache"),
        "UV_HTTP_RETRIES": "0",
        "PIP_CONFIG_FILE": os.devnull,
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }


def start(environment: Mapping[str, str], *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "llama_cli.main", "stack", *arguments],
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def drain(listener: socket.socket, connection: socket.socket) -> None:
    """Until whoever asked has closed every connection, which for uv is when it has ended."""
    listener.close()
    connection.settimeout(60)
    while connection.recv(65536):
        pass


@pytest.mark.parametrize(
    ("number", "code", "words"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated"), (signal.SIGHUP, 143, "terminated")],
)
@pytest.mark.parametrize("command", ["build", "run"])
def test_a_signal_ends_uv_and_leaves_nothing(
    command: str, number: signal.Signals, code: int, words: str, index: socket.socket, home: Path, tmp_path: Path
) -> None:
    with start(from_index(index, tmp_path), command, "remote") as process:
        connection, _ = index.accept()
        with connection:
            process.send_signal(number)
            out, err = process.communicate(timeout=60)
            assert (process.returncode, out) == (code, "")
            assert err.splitlines()[-1] == f"error: {words}"
            drain(index, connection)
    with Environment(home / "distributions" / "remote").held():  # which nobody holds any more
        assert not (home / "distributions" / "remote" / "pylock.toml").exists()
    assert records.records() == []


def test_a_command_line_that_is_killed_takes_its_build_along(index: socket.socket, tmp_path: Path) -> None:
    with start(from_index(index, tmp_path), "run", "remote") as process:
        connection, _ = index.accept()
        with connection:
            process.kill()
            drain(index, connection)
            process.communicate(timeout=60)


def test_a_build_that_somebody_else_ends_is_reported_as_such(index: socket.socket, home: Path, tmp_path: Path) -> None:
    with start(from_index(index, tmp_path), "run", "remote") as process:
        connection, _ = index.accept()
        with connection:
            holder = json.loads((home / "distributions" / "remote" / ".build.lock").read_text())
            assert holder["command"] == "main.py stack run remote"
            os.kill(holder["pid"], signal.SIGTERM)
            _, err = process.communicate(timeout=60)
            drain(index, connection)
    assert process.returncode == 1
    assert "error: the build did not finish: it ended with exit code 130\n\nhint: run the command again\n" in err


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
def test_the_process_that_waits_stays_small(index: socket.socket, tmp_path: Path) -> None:
    with start(from_index(index, tmp_path), "run", "remote") as process:
        connection, _ = index.accept()
        with connection:
            status = Path(f"/proc/{process.pid}/status").read_text()
            process.terminate()
            process.communicate(timeout=60)
    resident = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert resident and int(resident[1]) < 35_000


def test_what_is_wrong_comes_back_as_it_was_raised(tmp_path: Path) -> None:
    with pytest.raises(Failure) as raised:
        prepare.prepare(Choices(target="startr"), os.environ)
    assert raised.value.message == "`startr` is not a file, a template or a built distribution"
    assert (raised.value.hint or "").startswith("did you mean `starter`")
    assert raised.value.code == 2
    file = tmp_path / "run.yaml"
    file.write_text("version: 2\ndistro_name: mine\nproviderz: {}\nproviders: {}\n")
    with pytest.raises(Failure) as raised:
        prepare.prepare(Choices(target=str(file)), os.environ)
    assert raised.value.code == 3
    [problem] = raised.value.facts["problems"]  # type: ignore[misc]  # a list, though typed as an object
    assert (problem["path"], problem["line"], problem["hint"]) == ("providerz", 3, "did you mean `providers`?")


def test_the_servers_variables_are_what_is_planned_with(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(RUN_YAML.replace("mine", "${env.NAME_OF_IT}"))
    with pytest.raises(Failure, match="NAME_OF_IT"):
        prepare.prepare(Choices(target=str(file)), os.environ)
    with pytest.raises(Failure, match="`a b` cannot name a distribution"):
        prepare.prepare(Choices(target=str(file)), {**os.environ, "NAME_OF_IT": "a b"})


def test_a_distribution_that_is_served_is_refused_before_it_is_built(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "some file.yaml"
    file.write_text(RUN_YAML)
    folder = home / "distributions" / "mine"
    record = records.reserve("mine", lambda server_id: {"state_dir": str(folder / "state"), "log_file": "/log"})
    with pytest.raises(AlreadyRunning) as raised:
        prepare.prepare(Choices(target=str(file)), os.environ)
    assert raised.value.record.id == record.id
    assert not folder.exists()


class _Signal:
    """SIGTERM where it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return signal.raise_signal, (signal.SIGTERM,)


def test_a_signal_before_there_is_anything_to_do_shows_no_traceback() -> None:
    program = "from llama_cli.servers.prepare import main; main()"
    ended = subprocess.run([sys.executable, "-c", program], input=pickle.dumps(_Signal()), capture_output=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, b"", b"")


def test_a_record_that_nobody_is_left_to_use_is_taken_back() -> None:
    program = (
        "from llama_cli.servers import prepare, records\n"
        "facts = {'state_dir': '/state', 'log_file': '/log'}\n"
        "prepare.prepare_here = lambda *_, **__: records.reserve('mine', lambda _: facts)\n"
        "prepare.main()"
    )
    asked = pickle.dumps((Choices(target="mine"), {}, None, None, console.Settings(), ["llama"]))
    ours, theirs = os.pipe()
    os.close(ours)
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=theirs, stderr=subprocess.PIPE
    ) as process:
        os.close(theirs)
        assert process.stdin is not None and process.stderr is not None
        process.stdin.write(asked)
        process.stdin.flush()  # and stays open
        assert (process.wait(60), process.stderr.read()) == (130, b"")
    assert records.records() == []


def test_an_interruption_right_after_a_record_was_made_takes_it_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run.yaml").write_text(RUN_YAML)
    monkeypatch.setattr("llama_cli.packages.build.build", lambda *_, **__: SimpleNamespace(python="/python"))
    monkeypatch.setattr(started_with, "keep", Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        prepare.prepare_here(Choices(target=str(tmp_path / "run.yaml")), os.environ)
    assert records.records() == []


@pytest.mark.parametrize(("python", "log"), [("/none/bin/python", "log"), (sys.executable, "file/log")])
def test_what_cannot_be_started_leaves_no_record(
    python: str, log: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prepared(*_: object, **__: object) -> records.Record:
        facts = {"state_dir": str(tmp_path), "log_file": str(tmp_path / log), "config": "/c"}
        return records.reserve("mine", lambda _: {**facts, "options": {"python": python}})

    monkeypatch.setattr(prepare, "prepare", prepared)
    (tmp_path / "file").touch()
    with pytest.raises((Failure, OSError)) as raised:
        serve(Choices(target="mine", detach=True), os.environ)
    if isinstance(raised.value, Failure):
        assert raised.value.hint == "its environment is damaged: remove `/none` and run the command again"
    assert records.records() == []
