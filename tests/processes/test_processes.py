"""Servers as users meet them: started, watched, interrupted, killed. Every command line is a process of its own.

The server is `contract_server.py`, since it can be told to fail in each of the ways that are claimed here; the real one
is started by the tests of the whole stack. Nothing sleeps: tests wait for a line, for a process, or for the lock that a
server holds while it lives.
"""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

import llama_cli
from tests.support import command_line
from tests.support.descendants import descendants
from tests.support.schemas import conform
from tests.support.screen import Screen

pytestmark = pytest.mark.e2e

COMMAND_LINE = Path(command_line.__file__)
TREE = Path(llama_cli.__file__).parents[1]


class Result(NamedTuple):
    code: int
    out: str
    err: str

    def json(self, schema: str) -> Any:
        """The document, held against its schema."""
        document = json.loads(self.out)
        conform(document, schema)
        return document


class Llama:
    """Runs `llama` in a home of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        cleared = (
            "CI",
            "NO_COLOR",
            "FORCE_COLOR",
            "OPENAI_API_KEY",
            "VLLM_URL",
            "LLAMA_STACK_PORT",
            "OGX_PORT",
            "LLAMA_STACK_URL",
        )
        self.environment = {name: value for name, value in os.environ.items() if name not in cleared}
        self.environment |= {"LLAMA_HOME": str(home), "PYTHONPATH": str(TREE), "COLUMNS": "100"}

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(COMMAND_LINE), *arguments],
            env=self.environment | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments: str, stdin: str = "", **environment: str) -> Result:
        process = self.start(*arguments, **environment)
        out, err = process.communicate(stdin, timeout=60)
        return Result(process.returncode, out, err)

    def on_a_terminal(self, *arguments: str, **environment: str) -> str:
        """What it leaves on the screen."""
        environment = self.environment | {"COLUMNS": "80"} | environment
        command = [sys.executable, str(COMMAND_LINE), *arguments]
        with Screen(command, environment, stdin=subprocess.DEVNULL) as screen:
            assert screen.wait_until_it_ends() == 0
            return screen.fresh + "\n"

    def record(self, server_id: str = "starter") -> dict[str, Any]:
        stated: dict[str, Any] = json.loads((self.home / "servers" / f"{server_id}.json").read_text())
        return stated

    def servers(self) -> list[str]:
        """Of which there are records."""
        return sorted(path.stem for path in (self.home / "servers").glob("*.json"))

    def wait_until_gone(self, server_id: str = "starter") -> None:
        """Blocks on the lock that a server holds for its life."""
        with (self.home / "servers" / f"{server_id}.json").open() as file:
            fcntl.flock(file, fcntl.LOCK_SH)

    def ask(self, path: str, server_id: str = "starter") -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.record(server_id)["port"], timeout=10)
        connection.request("GET", path)
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return answer


def in_front(llama: Llama, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """`run` in front, once it has said that it is ready."""
    process = llama.start("stack", "run", "starter", *arguments, **environment)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("starter")
    return process


def finish(process: subprocess.Popen[str]) -> Result:
    out, err = process.communicate(timeout=60)
    return Result(process.returncode, out, err)


def is_gone(pid: int) -> bool:
    """Ended; where nobody has asked how yet, a zombie stays for a while."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def said(process: subprocess.Popen[str], text: str) -> str:
    """Reads what the command line says up to the line that holds `text`."""
    assert process.stderr is not None
    for line in process.stderr:
        if text in line:
            return line
    raise AssertionError(f"it never said {text!r}")


@pytest.fixture
def llama(tmp_path: Path) -> Iterator[Llama]:
    yield (runner := Llama(tmp_path / "home"))
    for path in (runner.home / "servers").glob("*.json"):
        # Only what still holds its lock is ours to kill.
        with path.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                os.kill(json.loads(path.read_text())["pid"], signal.SIGKILL)


def test_a_detached_server_is_listed_answers_and_stops(llama: Llama) -> None:
    started = llama("stack", "run", "starter", "--detach", "--json").json("stack-run")
    assert (started["id"], started["state"]) == ("starter", "ready")
    assert started["models"] == ["all-minilm", "llama/small"]
    assert started["off"] == [
        {"provider_type": "remote::openai", "variables": ["OPENAI_API_KEY"]},
        {"provider_type": "remote::vllm", "variables": ["VLLM_URL"]},
    ]
    assert started["openai_base_url"] == f"http://127.0.0.1:{started['port']}/v1"

    [row] = llama("stack", "ps", "--json").json("stack-ps")
    assert (row["id"], row["state"], row["url"], row["pid"]) == ("starter", "ready", started["url"], started["pid"])
    assert row["memory_bytes"] > 1_000_000 and 0 <= row["uptime_s"] < 60
    assert llama("stack", "ps", "-q").out == "starter\n"
    [listed] = [one for one in llama("stack", "list", "--json").json("stack-list") if one["name"] == "starter"]
    assert listed["urls"] == [started["url"]]
    assert 'next: `llama chat "Hi"` (running at http://127.0.0.1:' in llama().out

    status = llama("stack", "status", "--json")
    assert (status.code, status.json("stack-status")["providers"][0]["status"]) == (0, "ok")

    [stopped] = llama("stack", "stop", "starter", "--json").json("stack-stop")
    assert (stopped["result"], is_gone(started["pid"])) == ("drained", True)
    assert llama("stack", "ps", "--json").out == "[]\n"
    [row] = llama("stack", "ps", "--all", "--json").json("stack-ps")
    assert (row["state"], row["pid"]) == ("stopped", None)


def test_what_is_ready_is_said_with_what_to_type_next(llama: Llama) -> None:
    shown = llama.on_a_terminal("stack", "run", "starter", "--detach")
    port = llama.record()["port"]
    url = f"http://127.0.0.1:{port}"
    assert shown.endswith(
        f"ready: `starter` at {url}\n"
        "  models   2: all-minilm, llama/small\n"
        '  try      llama chat "Hi"\n'
        f"  curl 127.0.0.1:{port}/v1/chat/completions -H content-type:application/json \\\n"
        '    -d \'{"model": "llama/small", "messages":\n'
        '    [{"role": "user", "content": "Hi"}], "max_completion_tokens": 100}\'\n'
        "  off      2 providers, listed by `llama stack show starter`\n"
        f"  docs     {url}/docs\n"
        "  logs     llama stack logs -f starter\n"
        "  stop     llama stack stop starter\n"
    )
    again = llama("stack", "run", "starter", "--detach")
    assert (again.out, again.err) == (
        f"starter\t{url}\n",
        f"`starter` is already running\nready: `starter` at {url}, 2 models\n",
    )
    beside = llama.on_a_terminal("stack", "run", "starter", "--detach", "--port", "0")
    assert '  try      llama chat --url starter-2 "Hi"\n' in beside


def test_stopping_twice_is_stopping_once(llama: Llama) -> None:
    llama("stack", "run", "starter", "-d", "-q")
    assert llama("stack", "stop").code == 0
    again = llama("stack", "stop", "starter", "--json")
    assert (again.code, again.json("stack-stop")[0]["result"], again.err) == (
        0,
        "not_running",
        "`starter` is not running\n",
    )


def test_a_second_run_says_where_the_first_is(llama: Llama) -> None:
    url = llama("stack", "run", "starter", "--detach", "-q").out.split("\t")[1].strip()
    pid = llama.record()["pid"]
    second = llama("stack", "run", "starter")
    assert (second.code, second.out) == (5, "")
    assert second.err == (
        f"error: `starter` is already running at {url}, pid {pid}\n\n"
        "hint: stop it with `llama stack stop starter`, or start another beside it with `--port 0`\n"
    )
    detached = llama("stack", "run", "starter", "--detach", "-q")
    assert (detached.code, detached.out) == (0, f"starter\t{url}\n")
    other = llama("stack", "run", "starter", "--detach", "--log-level", "debug", "--env", "PLAIN=1")
    assert (other.code, other.out) == (5, "")
    assert other.err == (
        f"error: `starter` is already running at {url}, pid {pid}, and it was started with something else:\n"
        "  `--log-level`: none there, debug here\n"
        "  variables that it was not given: `PLAIN`\n\n"
        "hint: `llama stack restart starter --log-level debug --env PLAIN=1` applies it; "
        "`--port 0` starts another beside it\n"
    )
    assert llama.record()["pid"] == pid
    applied = llama("stack", "restart", "starter", "--log-level", "debug", "--env", "PLAIN=1")
    assert applied.code == 0
    again = llama("stack", "run", "starter", "--detach", "--log-level", "debug", "--env", "PLAIN=1")
    assert again.code == 0, again.err
    fewer = llama("stack", "run", "starter", "--detach", "--env", "OPENAI_API_KEY=sk-secret", "--env", "PLAIN=1")
    assert fewer.err.splitlines()[-1] == (
        "hint: `llama stack stop starter && llama stack run starter --detach --env OPENAI_API_KEY=... --env PLAIN=1` "
        "applies it; `--port 0` starts another beside it"
    )


def test_a_second_run_is_refused_before_anything_is_built_however_it_is_named(llama: Llama, tmp_path: Path) -> None:
    file = tmp_path / "starter.yaml"
    file.write_text("")
    llama("stack", "run", "starter", "-d", "-q")
    built = llama.home / "distributions" / "starter" / "built"
    assert built.read_text() == "once\n"
    for words in ([str(file)], ["starter", "--port", "8399"], ["starter", "--log-level", "debug"]):
        assert llama("stack", "run", *words).code == 5, words
    assert built.read_text() == "once\n"
    assert llama("stack", "run", "starter", "-d", "-q", "--port", "0").code == 0


def test_a_state_folder_of_ones_own_makes_one_more_server(llama: Llama, tmp_path: Path) -> None:
    llama("stack", "run", "starter", "-d", "-q")
    mine = tmp_path / "mine"
    second = llama("stack", "run", "starter", "-d", "--json", "--state", str(mine), "--port", "0")
    assert second.json("stack-run")["id"] == "starter-2"
    assert llama.record("starter-2")["state_dir"] == str(mine)
    assert mine.stat().st_mode & 0o777 == 0o700
    third = llama("stack", "run", "starter", "--state", str(mine))
    assert (third.code, "`starter` is already running at" in third.err) == (5, True)
    assert llama("stack", "restart", "starter-2").code == 0
    assert llama.record("starter-2")["state_dir"] == str(mine)


def test_what_is_loading_is_said_with_its_bound(llama: Llama) -> None:
    record = {"settled": False, "loading": ["meta-reference"], "load_timeout_s": 300}
    shown = llama.on_a_terminal("stack", "run", "starter", "-d", FAKE_RECORD=json.dumps(record))
    assert "\n  loading  meta-reference; requests wait for them, up to 300 s\n" in shown
    [row] = llama("stack", "ps", "--json").json("stack-ps")
    assert (row["state"], row["reason"], row["loading"]) == ("ready", "loading: meta-reference", ["meta-reference"])
    assert "loading: meta-reference" in llama("stack", "ps").out
    status = llama("stack", "status")
    assert (status.code, status.out.splitlines()[:2]) == (0, ["starter is ready", "  reason   loading: meta-reference"])
    assert llama("stack", "status", "--json").json("stack-status")["load_timeout_s"] == 300


def test_what_is_degraded_is_said_with_its_reason(llama: Llama) -> None:
    degraded = {"vllm": "connection refused", "openai": "the key is wrong"}
    record = {"state": "degraded", "degraded": degraded, "settled": True}
    result = llama("stack", "run", "starter", "-d", FAKE_RECORD=json.dumps(record))
    assert result.err.endswith(", 2 models, 2 degraded; see `llama stack status starter`\n")
    assert "\n  degraded 2: vllm, openai; `llama stack status starter` says why\n" in llama.on_a_terminal(
        "stack", "run", "starter", "-d"
    )
    said = "vllm: connection refused; openai: the key is wrong"
    [row] = llama("stack", "ps", "--json").json("stack-ps")
    assert (row["state"], row["reason"], row["degraded"]) == ("degraded", said, degraded)
    status = llama("stack", "status")
    assert (status.code, status.out.splitlines()[:2]) == (7, ["starter is degraded", f"  reason   {said}"])
    again = llama("stack", "run", "starter", "-d", "--json").json("stack-run")
    assert again["degraded"] == degraded


def test_what_we_make_is_for_its_owner(llama: Llama) -> None:
    llama("stack", "run", "starter", "-d")
    made = [path for path in llama.home.rglob("*") if path.name not in ("run.yaml", "python", "built")]
    assert {"logs", "state", "starter.log", "starter.stderr", "servers"} <= {path.name for path in made}
    assert [path for path in (llama.home, *made) if path.stat().st_mode & 0o077] == []


def test_two_runs_at_once_make_one_server(llama: Llama) -> None:
    both = [llama.start("stack", "run", "starter", "-d", "-q") for _ in range(2)]
    codes = sorted(finish(process).code for process in both)
    assert codes[0] == 0 and codes[1] in (0, 5)
    assert [path.name for path in (llama.home / "servers").glob("*.json")] == ["starter.json"]
    assert llama("stack", "ps", "-q").out == "starter\n"


def test_a_ready_file_that_is_a_pipe_stays_one(llama: Llama, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "null").symlink_to("pipe")  # as `/dev/null` would be harmed, without the real one
    run = ("stack", "run", "starter", "--port", "0", "-d", "-q", "--ready-file", str(tmp_path / "null"))
    unread = llama(*run)
    assert (unread.code, unread.out[:8]) == (0, "starter\t")
    assert "warning: nobody reads" in unread.err
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    read = llama(*run)
    ready = json.loads(os.read(reader, 65536))
    os.close(reader)
    assert (read.code, read.err, read.out) == (0, "", f"{ready['id']}\t{ready['url']}\n")
    assert (tmp_path / "pipe").is_fifo() and (tmp_path / "null").is_symlink()


@pytest.mark.parametrize(("streams", "code"), [(">&-", 1), ("> /dev/full", 1), ("<&- 2>&-", 0)])
def test_run_where_streams_are_closed_or_full(streams: str, code: int, llama: Llama) -> None:
    command = ["sh", "-c", f'exec "$@" {streams}', "sh", sys.executable, str(COMMAND_LINE), "stack", "run", "starter"]
    done = subprocess.run([*command, "-d"], env=llama.environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == code
    if code == 0:
        assert done.stdout.startswith("starter\thttp://")
    else:
        assert "error: cannot write to standard output: " in done.stderr
        assert llama.servers() == []  # a server of which nobody was informed is not left behind


def test_a_server_in_front_whose_address_nobody_reads_is_no_success(llama: Llama) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, str(COMMAND_LINE), "stack", "run", "starter"]
    with os.fdopen(writing, "w") as nobody:
        done = subprocess.run(
            command, env=llama.environment, stdout=nobody, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )
    assert (done.returncode, "error: `starter` was ended: nobody reads its address\n" in done.stderr) == (1, True)
    assert llama.servers() == []


@pytest.mark.parametrize(
    ("file", "streams", "code", "error"),
    [
        ("-", "> /dev/full", 1, "cannot write to standard output: No space left on device"),
        ("/dev/fd/3", "3> /dev/full", 1, "cannot write to `/dev/fd/3`: No space left on device"),
        ("-", ">&-", 2, "`--ready-file`: `-` is not open for writing"),
        ("/dev/fd/3", "3</dev/null", 2, "`--ready-file`: `/dev/fd/3` is not open for writing"),
    ],
)
def test_a_ready_file_that_takes_nothing_ends_the_start(
    file: str, streams: str, code: int, error: str, llama: Llama
) -> None:
    command = ["sh", "-c", f'exec "$@" {streams}', "sh", sys.executable, str(COMMAND_LINE), "stack", "run", "starter"]
    command += ["-d", "--ready-file", file]
    done = subprocess.run(command, env=llama.environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, f"error: {error}" in done.stderr) == (code, True), done.stderr
    assert llama.servers() == []


def test_a_restart_of_which_nobody_can_be_informed_is_no_crash(llama: Llama) -> None:
    assert llama("stack", "run", "starter", "-d").code == 0
    command = ["sh", "-c", 'exec "$@" > /dev/full', "sh", sys.executable, str(COMMAND_LINE)]
    done = subprocess.run([*command, "stack", "restart", "starter"], env=llama.environment, timeout=60, check=False)
    record = llama.record()
    assert (done.returncode, record["state"]) == (1, "failed")
    assert record["reason"].endswith(
        "its address could not be announced: cannot write to standard output: No space left on device"
    )
    assert llama("stack", "restart", "starter").code == 0, "it is what to try again with"


@pytest.mark.parametrize("options", [(), ("--json",), ("-q",)])
def test_a_ready_file_that_is_standard_output_is_all_that_goes_there(options: tuple[str, ...], llama: Llama) -> None:
    for file in ("-", "/dev/fd/1"):  # the second time it runs already
        started = llama("stack", "run", "starter", "-d", "--ready-file", file, *options)
        assert (started.code, json.loads(started.out)["id"]) == (0, "starter"), started.err


@pytest.mark.parametrize("arguments", [("starter", "--model", "no-such"), ("nonesuch",), ("starter",)])
def test_an_old_ready_file_is_gone_before_anything_can_fail(
    arguments: tuple[str, ...], llama: Llama, tmp_path: Path
) -> None:
    ready = tmp_path / "ready.json"
    ready.write_text("old")
    run = ("stack", "run", *arguments, "-d", "--ready-file", str(ready))
    llama(*run, "--dry-run")
    assert ready.read_text() == "old"
    assert llama(*run, FAKE_BEHAVIOUR="fails-7").code != 0
    assert not ready.exists()


def test_a_ready_file_is_gone_when_its_server_is(llama: Llama, tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    process = in_front(llama, "--ready-file", str(ready))
    assert json.loads(ready.read_text())["pid"] == llama.record()["pid"]
    os.kill(llama.record()["pid"], signal.SIGKILL)
    assert finish(process).code == 7 and not ready.exists()

    also = tmp_path / "also.json"
    for file in (ready, also):  # the second finds it running
        assert llama("stack", "run", "starter", "-d", "--ready-file", str(file)).code == 0
    assert llama("stack", "restart", "starter").code == 0
    pid = llama.record()["pid"]
    assert [json.loads(file.read_text())["pid"] for file in (ready, also)] == [pid, pid]
    also.write_text('{"pid": 1}')  # which another program has written meanwhile
    os.kill(pid, signal.SIGKILL)
    llama.wait_until_gone()
    assert llama("stack", "ps", "-q").out == "starter\n"
    assert not ready.exists() and also.read_text() == '{"pid": 1}'
    assert sorted(path.suffix for path in (llama.home / "servers").iterdir()) == ["", ".config", ".json"]


def test_what_was_made_for_one_start_goes_with_it(llama: Llama, tmp_path: Path) -> None:
    instances = llama.home / "distributions" / "starter" / "instances"
    for end in ("stop", "Ctrl-C"):
        process = in_front(llama, "--port", "0")
        assert [path.name for path in instances.iterdir()] == ["starter"]
        if end == "stop":
            assert llama("stack", "stop").code == 0
        else:
            process.send_signal(signal.SIGINT)
        finish(process)
        assert (llama.servers(), list(instances.iterdir())) == ([], [])
    assert "hello" in llama("stack", "logs", "starter").out, "its log stays"

    mine = tmp_path / "mine"
    assert llama("stack", "run", "starter", "-d", "--port", "0", "--state", str(mine)).code == 0
    llama("stack", "stop")
    assert mine.is_dir() and llama.servers() == ["starter"]
    assert llama("stack", "run", "starter", "-d", "--port", "0").code == 0
    os.kill(llama.record()["pid"], signal.SIGKILL)
    llama.wait_until_gone()
    assert llama("stack", "restart", "starter").code == 0, "what has crashed stays, to be looked at and tried again"


def test_port_0_starts_servers_side_by_side(llama: Llama, tmp_path: Path) -> None:
    for number in (1, 2):
        ready = tmp_path / f"ready-{number}.json"
        assert llama("stack", "run", "starter", "--port", "0", "-d", "--ready-file", str(ready)).code == 0
    first, second = (json.loads((tmp_path / f"ready-{number}.json").read_text()) for number in (1, 2))
    assert [first["id"], second["id"]] == ["starter", "starter-2"]
    assert first["port"] != second["port"]
    states = {llama.record(server_id)["state_dir"] for server_id in ("starter", "starter-2")}
    assert len(states) == 2
    several = llama("stack", "status")
    assert (several.code, several.err) == (
        2,
        f"error: several servers fit: `starter` ({first['url']}), `starter-2` ({second['url']})\n\n"
        "hint: name one of them; `llama stack ps` tells them apart\n",
    )
    assert llama("chat", "hi").code == 2
    assert llama("chat", "hi", "--url", first["url"]).out == "you said: hi\n"
    stopped = llama("stack", "stop", "--all").err.splitlines()
    assert sorted(stopped) == ["stopped `starter-2`", "stopped `starter`"]


def test_a_server_beside_others_starts_with_an_empty_state(llama: Llama) -> None:
    llama("stack", "run", "starter", "--port", "0", "-d")
    left = Path(llama.record()["state_dir"], "left-behind")
    left.touch()
    llama("stack", "restart", "starter")
    assert left.exists()
    llama("stack", "stop", "starter")
    llama("stack", "run", "starter", "--port", "0", "-d")
    assert left.parent.is_dir() and not left.exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)])
def test_a_signal_drains_the_server_in_front(number: signal.Signals, code: int, llama: Llama) -> None:
    process = in_front(llama)
    pid = llama.record()["pid"]
    process.send_signal(number)
    result = finish(process)
    assert (result.code, is_gone(pid)) == (code, True)
    assert "finishing what runs on `starter`; once more (Ctrl-C) ends it now" in result.err
    assert result.err.splitlines()[-1] == "`starter` has stopped"
    assert llama.record()["state"] == "stopped"


def test_a_second_signal_ends_what_still_drains(llama: Llama) -> None:
    process = in_front(llama, FAKE_BEHAVIOUR="drains-forever")
    process.send_signal(signal.SIGINT)
    assert said(process, "waiting: ") == "waiting: 1 request is still running\n"
    process.send_signal(signal.SIGINT)
    result = finish(process)
    assert (result.code, result.err.splitlines()[-1]) == (
        130, "`starter` was ended before all its requests had finished",
    )  # fmt: skip
    llama.wait_until_gone()


def test_a_server_that_never_ends_is_killed(llama: Llama) -> None:
    process = in_front(llama, FAKE_BEHAVIOUR="never-ends")
    process.send_signal(signal.SIGTERM)
    said(process, "waiting: ")
    process.send_signal(signal.SIGTERM)
    assert finish(process).code == 143
    llama.wait_until_gone()
    record = llama.record()
    assert (record["state"], record["reason"]) == ("stopped", "it was killed by SIGKILL")


def children() -> set[psutil.Process]:
    """What this process has started and what that has; the databases of other tests are among it."""
    return {child for child in descendants() if child.is_running()}


def test_a_signal_while_it_starts_leaves_nothing(llama: Llama) -> None:
    others = children()
    process = llama.start("stack", "run", "starter", FAKE_BEHAVIOUR="never-ready")
    said(process, "starting `starter`")
    process.send_signal(signal.SIGINT)
    assert finish(process).code == 130
    assert children() <= others


@pytest.mark.parametrize("options", [[], ["--detach"]], ids=["in front", "detached"])
@pytest.mark.parametrize(("behaviour", "code"), [("gets-SIGTERM", 143), ("gets-SIGINT", 130), ("drains-at-once", 143)])
def test_one_that_is_stopped_before_it_is_ready_is_said_to_be(
    llama: Llama, behaviour: str, code: int, options: list[str]
) -> None:
    result = finish(llama.start("stack", "run", "starter", *options, FAKE_BEHAVIOUR=behaviour))
    assert result.err.splitlines()[-1] == "error: `starter` was stopped before it was ready"
    assert (result.code, result.out, llama.servers()) == (code, "", [])


def test_a_stop_of_what_is_starting_is_told_as_such_by_who_started_it(llama: Llama) -> None:
    process = llama.start("stack", "run", "starter", FAKE_BEHAVIOUR="never-ready")
    said(process, "starting `starter`")
    assert llama("stack", "stop", "starter").code == 0
    result = finish(process)
    assert (result.code, result.err.splitlines()[-1]) == (143, "error: `starter` was stopped before it was ready")


def test_killing_the_command_line_ends_its_server(llama: Llama) -> None:
    process = in_front(llama)
    pid = llama.record()["pid"]
    process.kill()
    finish(process)
    llama.wait_until_gone()
    assert llama.record()["state"] == "stopped"
    psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=10)
    assert is_gone(pid)


def test_killing_the_command_line_leaves_a_detached_server(llama: Llama) -> None:
    llama("stack", "run", "starter", "-d")
    assert llama.ask("/v1/health") == {"status": "OK"}


def test_a_server_that_cannot_be_spawned_leaves_no_record(llama: Llama) -> None:
    (llama.home / "distributions" / "starter").mkdir(parents=True)
    (llama.home / "distributions" / "starter" / "logs").touch()
    result = llama("stack", "run", "starter")
    assert result.code == 1
    assert f"error: File exists: `{llama.home}/distributions/starter/logs`" in result.err
    assert list((llama.home / "servers").glob("*.json")) == []


def test_a_server_that_is_stopped_elsewhere_ends_run_in_front(llama: Llama) -> None:
    process = in_front(llama)
    assert llama("stack", "stop", "starter").code == 0
    result = finish(process)
    assert (result.code, result.err.splitlines()[-1]) == (0, "`starter` has stopped")


def test_a_server_that_is_ended_elsewhere_before_it_has_drained(llama: Llama) -> None:
    process = in_front(llama, FAKE_BEHAVIOUR="drains-forever")
    assert llama("stack", "stop", "starter", "--timeout", "100ms").code == 0
    result = finish(process)
    assert (result.code, result.err.splitlines()[-1]) == (
        143,
        "`starter` was ended before all its requests had finished",
    )


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        (3, "correct `{home}/distributions/starter/run.yaml`"),
        (5, "take another port with `--port N`, or any free one with `--port 0`"),
    ],
)
@pytest.mark.parametrize("how", [[], ["--detach"]])
def test_the_servers_reason_and_code_are_passed_on(how: list[str], code: int, hint: str, llama: Llama) -> None:
    result = llama("stack", "run", "starter", *how, FAKE_BEHAVIOUR=f"fails-{code}")
    assert (result.code, result.out) == (code, "")
    assert result.err == (
        "starting `starter`\nerror: `starter` did not start: the reason it gave\n\n"
        f"hint: {hint.format(home=llama.home)}\n"
    )
    assert llama.servers() == []


def test_an_unhealthy_start_shows_the_last_of_the_log(llama: Llama) -> None:
    result = llama("stack", "run", "starter", "-d", "--json", FAKE_BEHAVIOUR="fails-7")
    error = result.json("error")["error"]
    assert (result.code, error["code"], error["id"]) == (7, 7, "starter")
    lines = error["message"].splitlines()
    assert lines[0] == "`starter` did not start: the reason it gave; the last it said:"
    assert lines[-1].endswith("error   provider down request_id=req_1")
    again = llama("stack", "run", "starter", "-d", FAKE_BEHAVIOUR="fails-7", FAKE_REASON="Provider down.")
    assert again.err.count("provider down") == 1, "what an earlier start said is shown"
    assert "did not start: Provider down; the last it said:" in again.err
    assert "error: Provider down" not in again.err
    assert again.err.endswith(f"\n\nhint: the whole log: `{error['log_file']}`\n")
    assert "provider down" in Path(error["log_file"]).read_text()


@pytest.mark.parametrize("how", ["fails-2", "fails-7", "crashes", "no-interpreter"])
@pytest.mark.parametrize("options", [["--detach"], [], ["--port", "0"]])
def test_a_start_that_never_became_ready_leaves_its_log_and_nothing_else(
    llama: Llama, how: str, options: list[str]
) -> None:
    result = llama("stack", "run", "starter", "--require", "vllm", *options, FAKE_BEHAVIOUR=how)
    if how != "crashes":  # which may be seen to have been ready
        assert result.code != 0
        assert (llama.servers(), llama("stack", "ps", "--all").out) == ([], "")
        assert list(llama.home.glob("distributions/starter/instances/*")) == []
    assert (llama.home / "distributions/starter/logs/starter.log").exists()
    assert llama("stack", "run", "starter", "-d").code == 0


def test_a_reader_that_leaves_does_not_end_a_detached_server(llama: Llama) -> None:
    run = llama.start("stack", "run", "starter", "-d")
    assert run.stdin is not None and run.stdout is not None and run.stderr is not None
    for pipe in (run.stdin, run.stdout):
        pipe.close()
    run.stderr.read()
    run.stderr.close()
    assert run.wait(timeout=60) == 0
    assert llama("stack", "ps", "-q").out == "starter\n"
    assert llama.ask("/v1/health") == {"status": "OK"}


def test_a_restart_that_fails_can_be_tried_again(llama: Llama) -> None:
    llama("stack", "run", "starter", "-d", "--port", "0")
    assert llama("stack", "restart", "starter", FAKE_BEHAVIOUR="fails-7").code == 7
    assert llama.record()["state"] == "failed"
    assert llama("stack", "restart", "starter").code == 0


def test_a_server_runs_on_where_what_it_is_to_run_from_cannot_be_built(llama: Llama) -> None:
    llama("stack", "run", "starter", "-d", "--port", "0")
    before = llama.record()
    failed = llama("stack", "restart", "starter", FAKE_BUILD="fails")
    assert (failed.code, failed.err) == (
        1,
        "error: could not choose package versions\n\nhint: `starter` runs on as it was\n",
    )
    assert llama.record() == before
    assert llama.ask("/v1/health") == {"status": "OK"}
    lost = llama("stack", "restart", "starter", FAKE_BEHAVIOUR="fails-7", FAKE_HINT="do this")
    assert lost.err.startswith("stopped `starter`\n")
    last = "hint: do this; `starter` does not run now; `llama stack restart starter` tries again"
    assert (lost.code, lost.err.splitlines()[-1]) == (7, last)


def test_the_servers_hint_is_passed_on(llama: Llama) -> None:
    for code in ("2", "5", "7"):
        result = llama("stack", "run", "starter", FAKE_BEHAVIOUR=f"fails-{code}", FAKE_HINT="do this")
        assert (result.code, result.err.splitlines()[-1]) == (int(code), "hint: do this")


def test_what_an_interpreter_says_when_it_cannot_start_is_shown(llama: Llama) -> None:
    result = llama("stack", "run", "starter", "-d", FAKE_BEHAVIOUR="no-interpreter")
    assert result.code == 7
    assert (
        "did not start: it ended with exit code 1; the last it said:\n  ModuleNotFoundError: no module named nothing"
        in result.err
    )
    assert llama("stack", "ps", "--all").out == ""


def test_the_users_own_timeout_ends_a_start(llama: Llama) -> None:
    others = children()
    result = llama("stack", "run", "starter", "-d", "--timeout", "300ms", FAKE_BEHAVIOUR="never-ready")
    assert (result.code, result.out) == (8, "")
    assert "`starter` is not ready after 300ms" in result.err
    assert llama.servers() == []
    assert children() <= others


def test_a_crash_is_seen_and_reported(llama: Llama) -> None:
    process = llama.start("stack", "run", "starter", FAKE_BEHAVIOUR="crashes")
    result = finish(process)
    assert result.code == 7
    assert "it was killed by SIGKILL" in result.err
    llama("stack", "run", "starter", "-d")
    os.kill(llama.record()["pid"], signal.SIGKILL)
    llama.wait_until_gone()
    [row] = llama("stack", "ps", "--json").json("stack-ps")
    assert (row["state"], row["pid"], row["uptime_s"]) == ("crashed", None, None)
    for name in (["starter"], []):
        status = llama("stack", "status", *name)
        assert (status.code, status.out.splitlines()[0].split(":")[0]) == (7, "starter is crashed")
    assert llama("stack", "logs", "starter", "--level", "error").out.count("\n") >= 1
    assert llama("stack", "restart", "starter").code == 0
    assert llama("stack", "status", "starter", "-q").out == "ready\n"


def test_stop_takes_the_servers_children_along(llama: Llama) -> None:
    llama("stack", "run", "starter", "-d", FAKE_BEHAVIOUR="with-child")
    child = psutil.Process(llama.record()["options"]["child"])
    assert child.is_running()
    llama("stack", "stop", "starter")
    assert is_gone(child.pid)


def test_stop_kills_what_does_not_drain_in_time(llama: Llama) -> None:
    llama("stack", "run", "starter", "-d", FAKE_BEHAVIOUR="never-ends")
    pid = llama.record()["pid"]
    result = llama("stack", "stop", "starter", "--timeout", "1s")
    assert result.code == 0
    assert result.err == "waiting: 1 request is still running\nstopped `starter`; it had not finished after 1s\n"
    assert is_gone(pid)
    assert llama.record()["state"] == "stopped"


def test_several_are_stopped_at_once_or_none(llama: Llama) -> None:
    for _ in range(2):
        llama("stack", "run", "starter", "--port", "0", "-d", "-q")
    wrong = llama("stack", "stop", "starter", "startr-2")
    assert (wrong.code, wrong.err) == (
        2,
        "error: there is no server `startr-2`\n\nhint: did you mean `starter-2` or `starter`?\n",
    )
    rows = llama("stack", "stop", "starter", "starter-2", "starter", "--json").json("stack-stop")
    assert [(row["id"], row["result"]) for row in rows] == [("starter", "drained"), ("starter-2", "drained")]


def test_a_server_is_waited_for_until_it_is_what_one_wants(llama: Llama) -> None:
    run = llama.start("stack", "run", "starter", "-q", FAKE_RECORD='{"loading": ["other"], "settled": false}')
    waited = llama("stack", "wait", "starter", "--for", "model=llama/small", "--for", "provider=vllm", "--json")
    [row] = waited.json("stack-wait")
    assert (waited.code, row["id"], row["state"]) == (0, "starter", "ready"), waited.err
    [same] = llama("stack", "wait", row["url"], "--json").json("stack-wait")
    assert (same["id"], same["state"]) == ("starter", "ready"), "its address means it as its name does"
    late = llama("stack", "wait", "starter", "--for", "settled", "--timeout", "100ms")
    assert (late.code, "is not settled after 100ms: loading: other" in late.err) == (8, True)
    late = llama("stack", "wait", "starter", "--for", "model=llama/large", "--timeout", "100ms")
    why = "`starter` does not serve `llama/large` after 100ms: no provider lists it yet"
    assert (late.code, why in late.err) == (8, True)
    off = llama("stack", "wait", "starter", "--for", "provider=openai")
    assert (off.code, off.err.splitlines()[-1]) == (7, "hint: it is off: set OPENAI_API_KEY and restart the server")
    unknown = llama("stack", "wait", "starter", "--for", "provider=vlm")
    assert (unknown.code, unknown.err.splitlines()[-1]) == (2, "hint: did you mean `vllm`?")
    stopping = llama.start("stack", "wait", "--for", "stopped", "-q")
    os.kill(llama.record()["pid"], signal.SIGKILL)
    assert (finish(stopping).out, finish(run).code) == ("starter\n", 7)
    assert llama("stack", "wait", "starter").code == 7


def test_a_run_waits_for_what_one_wants(llama: Llama) -> None:
    wanted = ["--wait", "settled", "--wait", "model=all-minilm", "--wait", "provider=inference/vllm"]
    assert llama("stack", "run", "starter", "-d", *wanted).code == 0
    assert llama("stack", "run", "starter", "-d", *wanted).code == 0
    never = llama("stack", "run", "starter", "-d", "--wait", "model=large")
    assert (never.code, llama("stack", "ps", "-q").out) == (2, "starter\n"), "it is not ours to end"
    llama("stack", "stop")
    never = llama("stack", "run", "starter", "-d", "--wait", "model=large")
    assert (never.code, never.err.splitlines()[-1]) == (2, "hint: it serves `all-minilm`, `llama/small`")
    assert llama("stack", "ps", "-q").out == "", "it was started for this alone"
    unknown = llama("stack", "run", "starter", "-d", "--wait", "provider=vlm")
    assert (unknown.code, "did you mean `vllm`?" in unknown.err) == (2, True)


def test_a_dry_stop_stops_nothing(llama: Llama) -> None:
    llama("stack", "run", "starter", "-d")
    result = llama("stack", "stop", "--all", "--dry-run", "--json")
    assert result.json("stack-stop")[0]["result"] == "would_stop"
    assert llama.ask("/v1/health") == {"status": "OK"}


def test_the_environment_reaches_the_server_and_no_disk(llama: Llama, tmp_path: Path) -> None:
    file = tmp_path / "keys.env"
    file.write_text("# keys\nexport VLLM_URL='http://127.0.0.1:1'\nPLAIN=value # not this\n")
    result = llama(
        "stack",
        "run",
        "starter",
        "-d",
        "--env",
        "OPENAI_API_KEY=sk-very-secret",
        "--env-file",
        str(file),
        "--env",
        "GIVEN",
        GIVEN="from the shell",
    )
    assert result.err.startswith(
        "warning: the value of `OPENAI_API_KEY` can be seen by others in the list of processes; "
        "`--env OPENAI_API_KEY` hides it\n"
    )
    assert "\n  off " not in result.err
    seen = llama.ask("/environment")
    assert [seen[name] for name in ("OPENAI_API_KEY", "VLLM_URL", "PLAIN", "GIVEN")] == [
        "sk-very-secret",
        "http://127.0.0.1:1",
        "value",
        "from the shell",
    ]
    written = [path for path in llama.home.rglob("*") if path.is_file() and b"sk-very-secret" in path.read_bytes()]
    assert written == []
    assert llama.record()["options"]["environment_names"] == ["OPENAI_API_KEY", "PLAIN", "VLLM_URL"]

    refused = llama("stack", "restart", "starter", PLAIN="again", VLLM_URL="http://127.0.0.1:1")
    assert (refused.code, llama.ask("/environment")["PLAIN"]) == (3, "value"), "nothing was stopped"
    assert refused.err == (
        "error: `starter` runs with providers that it would lose, since their variables are not set here:\n"
        "  `openai`: `OPENAI_API_KEY`\n\n"
        "hint: set them here, or give them: `--env-file FILE`, `--env OPENAI_API_KEY`; or start it without: "
        "`llama stack restart starter --without openai`\n"
    )
    kept = llama("stack", "restart", "starter", "--env-file", "-", stdin=f"{file.read_text()}OPENAI_API_KEY=sk-other\n")
    assert (kept.code, llama.ask("/environment")["OPENAI_API_KEY"]) == (0, "sk-other")
    restarted = llama("stack", "restart", "starter", "--without", "openai", VLLM_URL="http://127.0.0.1:1")
    assert restarted.code == 0
    assert restarted.err.startswith(
        "warning: given when it was started, kept nowhere, and not set here: `OPENAI_API_KEY`, `PLAIN`\n"
    )
    assert llama("stack", "restart", "starter", VLLM_URL="http://127.0.0.1:1").code == 0, "it has lost it already"


def test_a_wrong_environment_names_every_line(llama: Llama) -> None:
    result = llama(
        "stack", "run", "starter", "--env", "NOT_SET", "--env", "1=2", "--env-file", "-", stdin="A=1\nB C\n=\n"
    )
    assert result.code == 3
    assert result.err == (
        "error: the environment has 4 problems\n"
        "  standard input:2: not a `NAME=VALUE` line\n"
        "  standard input:3: not a `NAME=VALUE` line\n"
        "  --env: `NOT_SET` is not set here, so there is nothing to pass on\n"
        "  --env: `1` is not a variable name\n"
    )


def test_options_reach_the_server_and_survive_a_restart(llama: Llama) -> None:
    options = [
        "--host",
        "127.0.0.1",
        "--log-level",
        "debug",
        "--model",
        "SmolLM2-135M-Instruct",
        "--alias",
        "gpt=SmolLM2-135M-Instruct",
        "--require",
        "llama",
        "--without",
        "vllm",
    ]
    llama("stack", "run", "starter", "-d", "--port", "0", "--require-gpu", *options)
    before = llama.ask("/arguments")
    port = llama.record()["port"]
    for option, value in zip(options[::2], options[1::2], strict=True):
        assert before[before.index(option) + 1] == value
    assert "--require-gpu" in before and "--parent-fd" not in before
    assert llama("stack", "restart", "starter", "--json").json("stack-restart")["port"] == port
    after = llama.ask("/arguments")
    assert after[after.index("--port") + 1] == str(port)
    before[before.index("--port") + 1] = str(port)
    assert after == before
    would = llama("stack", "restart", "starter", "--log-level", "error", "--dry-run", "--json").json("stack-restart")
    assert (would["id"], would["state"], would["port"], would["options"]["log_level"]) == (
        *("starter", "planned", port, "error"),
    )
    for wrong in (["--require", "nonesuch"], ["--port", "0"], ["--alias", "x"], ["--without", "nonesuch"]):
        assert llama("stack", "restart", "starter", *wrong).code == 2, wrong
    assert llama.ask("/arguments") == after, "it was not stopped"


def test_logs_are_filtered_and_followed_to_the_end(llama: Llama) -> None:
    llama("stack", "run", "starter", "-d")
    assert len(llama("stack", "logs").out.splitlines()) == 2
    assert llama("stack", "logs", "--tail", "1").out.endswith("error   provider down request_id=req_1\n")
    assert llama("stack", "logs", "--since", "1h").out == ""
    assert llama("stack", "logs", "--request", "req_2").out == ""
    line = json.loads(llama("stack", "logs", "--level", "error", "--json").out)
    conform(line, "stack-logs")
    assert line["request_id"] == "req_1"

    follower = llama.start("stack", "logs", "-f", "--json")
    assert follower.stdout is not None
    assert [json.loads(follower.stdout.readline())["message"] for _ in range(2)] == ["hello", "provider down"]
    with Path(llama.record()["log_file"]).open("a") as log:
        log.write('{"message": "more"}\n')
    assert json.loads(follower.stdout.readline()) == {"message": "more"}
    llama("stack", "stop")
    assert finish(follower).code == 0


def test_who_leaves_a_log_that_is_followed_is_told_of_no_error(llama: Llama) -> None:
    llama("stack", "run", "starter", "-d")
    follower = llama.start("stack", "logs", "-f", "--json")
    assert follower.stdout is not None and follower.stdout.readline()
    follower.send_signal(signal.SIGINT)
    ended = finish(follower)
    assert (ended.code, ended.err) == (130, "")


def test_a_log_is_followed_no_further_than_it_is_read(llama: Llama) -> None:
    llama("stack", "run", "starter", "-d")
    with llama.start("stack", "logs", "-f", "--json") as follower:
        assert follower.stdout is not None
        assert [json.loads(follower.stdout.readline())["message"] for _ in range(2)] == ["hello", "provider down"]
        follower.stdout.close()  # as `grep -m 1` does, and no other line comes
        try:
            assert follower.wait(30) == 0
        finally:
            follower.kill()


def test_a_degraded_provider_is_explained(llama: Llama) -> None:
    health = '{"status": "Error", "message": "connection refused"}'
    record = '{"state": "degraded", "degraded": {"vllm": "connection refused"}}'  # which its server keeps right
    llama("stack", "run", "starter", "-d", FAKE_HEALTH=health, FAKE_RECORD=record)
    status = llama("stack", "status")
    assert status.code == 7
    assert status.out.splitlines()[:2] == ["starter is degraded", "  reason   vllm: connection refused"]
    assert status.out.splitlines()[-1] == "  ! inference vllm error: connection refused"
    document = llama("stack", "status", "--json").json("stack-status")
    [row] = llama("stack", "ps", "--json").json("stack-ps")
    assert {row[name] == document[name] for name in ("state", "reason", "degraded")} == {True}


def test_a_provider_that_wants_a_key_is_not_degraded(llama: Llama) -> None:
    health = '{"status": "Error", "state": "needs-key", "message": "no key: set VLLM_API_TOKEN"}'
    llama("stack", "run", "starter", "-d", FAKE_HEALTH=health)
    status = llama("stack", "status")
    assert (status.code, status.out.splitlines()[0]) == (0, "starter is ready")
    assert status.out.splitlines()[-1] == "  - inference vllm needs key: no key: set VLLM_API_TOKEN"


def test_a_remote_that_is_down_is_shown_with_the_address(llama: Llama) -> None:
    health = '{"status": "Error", "state": "degraded", "message": "connection refused"}'
    started = llama.on_a_terminal("stack", "run", "starter", "-d", FAKE_HEALTH=health)
    assert "\n  down     vllm: connection refused\n" in started
    again = llama("stack", "run", "starter", "-d", "--json").json("stack-run")
    assert again["down"] == {"vllm": "connection refused"}


def test_what_is_still_loading_is_no_failure(llama: Llama) -> None:
    health = '{"status": "Error", "state": "starting", "message": "still starting"}'
    record = '{"loading": ["vllm"], "load_timeout_s": 60}'
    started = llama("stack", "run", "starter", "-d", FAKE_HEALTH=health, FAKE_RECORD=record)
    assert started.err.endswith(", 2 models, 1 loading\n")
    status = llama("stack", "status")
    assert (status.code, status.out.splitlines()[:2]) == (0, ["starter is ready", "  reason   loading: vllm"])
    assert status.out.splitlines()[-1] == "  - inference vllm loading"
    [provider] = llama("stack", "status", "--json").json("stack-status")["providers"]
    assert (provider["status"], provider["message"]) == ("loading", None)


def test_an_unknown_server_is_usage_with_the_nearest(llama: Llama) -> None:
    llama("stack", "run", "starter", "-d")
    for command in ("logs", "status", "stop", "restart"):
        result = llama("stack", command, "startr")
        assert (result.code, result.err) == (2, "error: there is no server `startr`\n\nhint: did you mean `starter`?\n")


def test_no_server_is_said_plainly(llama: Llama) -> None:
    assert llama("stack", "ps").err == "no server is running; start one with `llama stack run starter`\n"
    for command in ("status", "stop", "logs", "restart"):
        assert llama("stack", command) == (
            7, "", "error: no server is running\n\nhint: start one with `llama stack run starter`\n"
        )  # fmt: skip
    every = llama("stack", "stop", "--all", "--json")
    assert (every.code, every.out) == (0, "[]\n")
    assert llama("chat", "hi") == (
        7,
        "",
        "error: no server is running\n\nhint: start one with `llama stack run starter`, "
        "have one for this alone with `--distro starter`, or name one with `--url`\n",
    )
    nothing = llama("chat", "hi", "--url", "127.0.0.1:9")
    assert (nothing.code, "nothing answers at 127.0.0.1:9" in nothing.err) == (7, True)


def test_chat(llama: Llama) -> None:
    llama("stack", "run", "starter", "-d")
    assert llama("chat", "hi").out == "you said: hi\n"
    assert llama("chat", "hi", "--no-stream").out == "you said: hi\n"
    assert llama("chat", "Say:", "-q", stdin="from a pipe\n").out == "you said: Say:\n\nfrom a pipe\n"
    assert llama("chat", "hi", "--json").json("chat") == {
        "model": "llama/small",
        "content": "you said: hi",
        "reasoning": None,
        "finish_reason": "stop",
        "usage": {"total_tokens": 7},
    }
    unknown = llama("chat", "hi", "--model", "nonesuch")
    assert (unknown.code, unknown.err) == (2, "error: Model `nonesuch` is not served.\n\nhint: `llama/small` is\n")
    nothing_like_it = llama("chat", "hi", "--model", "route")
    assert nothing_like_it.err.endswith("\n\nhint: it serves `llama/small`\n")  # and no `all-minilm`
    broken = llama("chat", "break")
    assert (broken.code, broken.out, broken.err) == (6, "you", "error: the model fell over\n")
    assert llama("chat").code == 2


def test_a_cut_is_shown_with_what_would_allow_more(llama: Llama) -> None:
    llama("stack", "run", "starter", "-d")
    cut = llama("chat", "too long")
    assert (cut.code, cut.err) == (0, "cut at 1000 tokens, where the model's context ends\n")
    assert llama.ask("/last-body").keys() == {"model", "messages", "stream"}
    shorter = llama("chat", "too long", "--max-tokens", "9", "--temperature", "0")
    assert shorter.err == "cut at 9 tokens; --max-tokens allows more\n"
    assert (llama.ask("/last-body")["max_completion_tokens"], llama.ask("/last-body")["temperature"]) == (9, 0)
    full = llama("chat", "too long", "--max-tokens", "2000")
    assert full.err == "cut at 1000 tokens, where the model's context ends\n"
    assert llama("chat", "too long", "-q").err == ""
    assert llama("chat", "hi").err == ""


def test_a_reader_that_leaves_ends_a_chat_quietly(llama: Llama) -> None:
    llama("stack", "run", "starter", "-d")
    chat = llama.start("chat", "at length")
    assert chat.stdin is not None and chat.stdout is not None and chat.stderr is not None
    chat.stdin.close()
    assert chat.stdout.readline() == "you said: at lengthand so on\n"
    chat.stdout.close()
    assert chat.stderr.read() == ""
    assert chat.wait(timeout=30) == 0
    chat.stderr.close()


@pytest.mark.parametrize("end", ["/exit", "Ctrl-D"])
def test_chat_on_a_terminal_is_a_conversation(llama: Llama, end: str) -> None:
    llama("stack", "run", "starter", "-d")
    primary, secondary = pty.openpty()
    settings = termios.tcgetattr(secondary)
    settings[3] &= ~termios.ECHO
    termios.tcsetattr(secondary, termios.TCSANOW, settings)
    process = subprocess.Popen(
        [sys.executable, str(COMMAND_LINE), "chat"],
        env=llama.environment | {"TERM": "dumb"},
        stdin=secondary,
        stdout=secondary,
        stderr=secondary,
    )
    os.close(secondary)

    def until(text: str) -> str:
        seen = ""
        while text not in seen:
            seen += os.read(primary, 4096).decode()
        return seen

    assert "talking to llama/small at http://127.0.0.1:" in until("> ")
    os.write(primary, b"hi\n")
    assert "you said: hi" in until("> ")
    os.write(primary, b"break\n")
    assert "error: the model fell over" in until("> ")
    os.write(primary, b"/help\n")
    assert "Ctrl-C         stops an answer" in until("> ")
    # Between its prompt and its wait for a key readline notices no signal, so it may take a second one.
    process.send_signal(signal.SIGINT)
    while not select.select([primary], [], [], 0.5)[0]:
        process.send_signal(signal.SIGINT)
    until("> ")
    os.write(primary, b"wait\n")
    until("you")
    process.send_signal(signal.SIGINT)
    assert "(cut short)" in until("> ")
    os.write(primary, b"hi\n")
    assert "you said: hi" in until("> ")
    os.write(primary, b"\x04" if end == "Ctrl-D" else b"/exit\n")
    assert process.wait(timeout=30) == 0
    os.close(primary)


def test_a_record_that_is_not_locked_yet_counts_as_starting_for_a_while(llama: Llama) -> None:
    llama("stack", "run", "starter", "-d")
    llama("stack", "stop")
    record = llama.home / "servers" / "starter.json"
    record.write_text(json.dumps(llama.record() | {"state": "starting", "pid": None}))
    assert llama("stack", "ps").out.split("\t")[1] == "starting"
    assert llama("stack", "run", "starter").code == 5
    long_ago = time.time() - 60
    os.utime(record, (long_ago, long_ago))
    assert llama("stack", "ps").out.split("\t")[1] == "crashed"
    assert llama("stack", "run", "starter", "-d").code == 0
