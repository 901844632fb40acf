"""Whatever lies where records are, commands go on: what is none is passed over, and what runs is not lost."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from llama_cli.exits import ExitCode, Failure
from llama_cli.servers import records
from llama_cli.servers.records import AlreadyRunning, Record
from llama_cli.servers.stop import stop
from runtime.errors import Conflict
from tests.support.schemas import conform
from tests.unit.cli.contract.calls import OUTPUTS

if TYPE_CHECKING:
    from tests.support.command_runner import Cli

SHOWS_THEM = {"llama stack ps", "llama stack df", "llama stack prune", "llama stack status"}
"""Commands that list all records, or say how old something is."""
GARBAGE = {
    "empty": b"",
    "blanks": b" " * 4096,
    "NUL": b"\0" * 700,
    "half": b'{"id": "starter", "state": "rea',
    "no text": b'{"id": "\xff\xfe"}',
    "nested": b"[" * 100_000,
    "a list": b"[]",
    "a word": b'"starter"',
}
ODD = {
    "nothing known": {},
    "another version": {
        "id": "starter",
        "state": "warming",
        "port": "8321",
        "degraded": [],
        "loading": "all",
        "off": 3,
    },
    "all null": dict.fromkeys(Record.__dataclass_fields__),
    "all numbers": dict.fromkeys(Record.__dataclass_fields__, 7),
    "all lists": {name: [7] for name in Record.__dataclass_fields__},
    "no time": {"state": "ready", "pid": 1, "started_at": "yesterday"},
    "no zone": {"state": "ready", "pid": 1, "started_at": "2026-01-01T00:00:00"},
    "another's id": {"id": "../../etc/passwd", "state": "stopped"},
}


@pytest.fixture
def folder(cli: Cli) -> Path:
    made = cli.home / "servers"
    made.mkdir(parents=True)
    return made


def put(folder: Path, content: bytes, name: str = "starter") -> Path:
    path = folder / f"{name}.json"
    path.write_bytes(content)
    os.utime(path, (time.time() - 60,) * 2)  # nobody is writing it
    return path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with path.open("rb+") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def ps(cli: Cli) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = cli("stack", "ps", "--all", "--json").json()
    return rows


@pytest.mark.parametrize("content", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_passed_over_and_its_name_is_free(
    cli: Cli, folder: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder, content)
    put(folder, json.dumps({"state": "stopped"}).encode(), "sound")
    waits: list[float] = []
    monkeypatch.setattr(records.time, "sleep", waits.append)
    assert [row["id"] for row in ps(cli)] == ["sound"]
    assert waits == []  # nobody writes what is that old, so it is not read again and again
    assert cli("stack", "status", "starter").code == 2
    assert records.reserve("starter", lambda _: {"state_dir": "/state"}).id == "starter"


@pytest.mark.parametrize("content", list(GARBAGE.values())[:6], ids=list(GARBAGE)[:6])
def test_garbage_that_a_server_holds_is_a_server(cli: Cli, folder: Path, content: bytes) -> None:
    path = put(folder, content)
    with locked(path):
        rows = ps(cli)
        conform(rows, "stack-ps")
        [row] = rows
        assert (row["id"], row["state"]) == ("starter", "unreadable") and str(path) in row["reason"]
        status = cli("stack", "status", "starter", "--json")
        conform(status.json(), "stack-status")
        assert status.code == 7
        stop = cli("stack", "stop", "starter")
        assert stop.code == 5 and "fuser" in stop.err
        with pytest.raises(Conflict, match="cannot be read"):
            records.reserve("starter", lambda _: {"state_dir": "/state"})
        assert records.reserve("starter", lambda _: {"state_dir": "/own"}, beside=True).id == "starter-2"
        assert records.reserve("other", lambda _: {"state_dir": "/other"}).id == "other", "it hurts nobody else"


@pytest.mark.parametrize("stated", ODD.values(), ids=ODD)
def test_a_record_of_another_kind_is_shown_as_far_as_it_goes(cli: Cli, folder: Path, stated: dict[str, Any]) -> None:
    path = put(folder, json.dumps(stated).encode())
    with locked(path):
        [row] = ps(cli)
        assert row["id"] == "starter"
        assert cli("stack", "ps", "--all").code == cli("stack", "list").code == 0
        assert "bug of ours" not in cli("stack", "status", "starter").err
        assert cli().code == 0


KNOWN = {"url": "http://127.0.0.1:9", "config": "/run.yaml", "state_dir": "/state", "version": "9.9"}


@pytest.mark.parametrize("state", ["warming", 5, None, ["ready"]])
def test_a_state_of_tomorrow_is_told_as_such_and_what_else_is_known_is_shown(
    cli: Cli, folder: Path, state: Any
) -> None:
    path = put(folder, json.dumps(KNOWN | {"state": state, "pid": 4711}).encode())
    with locked(path):
        [row] = ps(cli)
        assert (row["state"], row["pid"], row["url"], row["config"]) == ("unknown", 4711, KNOWN["url"], "/run.yaml")
        assert f"`{state}`" in row["reason"] and "version 9.9 wrote it" in row["reason"]
        status = cli("stack", "status", "starter", "--json")
        conform(status.json(), "stack-status")
        assert (status.code, status.json()["state"]) == (7, "unreachable"), "it is asked, since only it can tell"
        with pytest.raises(AlreadyRunning):
            records.reserve("starter", lambda _: {"state_dir": "/state"})
        assert cli("stack", "run", "starter", "-d", "--dry-run").code == 0
        late = cli("stack", "wait", "starter", "--timeout", "20ms")
        assert (late.code, "nothing answers" in late.err) == (8, True)
    assert [row["state"] for row in ps(cli)] == ["crashed"], "nobody holds it"


@pytest.mark.parametrize("state", ["warming", 5, "ready", "draining"])
def test_a_record_that_names_no_process_is_nobodys_start(cli: Cli, folder: Path, state: Any) -> None:
    path = folder / "starter.json"
    path.write_text(json.dumps(KNOWN | {"state": state}))  # a moment ago
    assert [row["state"] for row in ps(cli)] == ["crashed"]
    with locked(path):
        [row] = ps(cli)
        assert (row["state"], row["url"]) == ("unreadable", KNOWN["url"])
        stopped = cli("stack", "stop", "starter")
        assert (stopped.code, "fuser" in stopped.err, "names no process" in stopped.err) == (5, True, True)


@pytest.mark.parametrize("path", OUTPUTS)
def test_another_server_s_odd_record_changes_what_no_command_says(world: Cli, path: str) -> None:
    call = [*path.split()[1:], *OUTPUTS[path], "--json"]
    folder = world.home / "servers"
    before = world(*call)
    put(folder, b"[" * 100_000, "garbage")
    put(folder, json.dumps({"state": ["of", "tomorrow"], "options": 7, "format": 99}).encode(), "newer")
    after = world(*call)
    assert (after.code, after.err) == (before.code, before.err)
    if path not in SHOWS_THEM:
        assert after.out == before.out


def test_what_is_no_file_is_passed_over(cli: Cli, folder: Path) -> None:
    (folder / "folder.json").mkdir()
    os.mkfifo(folder / "pipe.json")
    (folder / "loop.json").symlink_to("loop.json")
    (folder / "nowhere.json").symlink_to("nothing")
    assert ps(cli) == []


@pytest.mark.parametrize("name", ["", " ", "../x", "a\nb", "ä", "-", "--", "x" * 5000, "%s", "*"])
@pytest.mark.parametrize("command", ["status", "stop", "logs", "restart"])
def test_a_name_that_no_server_has(cli: Cli, folder: Path, command: str, name: str) -> None:
    put(folder, json.dumps({"state": "stopped"}).encode())
    assert cli("stack", command, "--", name).code == 2


@pytest.mark.parametrize("name", ["a/b", "starter.json"])
@pytest.mark.parametrize("command", ["stop", "logs", "restart"])
def test_a_name_that_could_be_a_host_s_is_no_server_of_ours(cli: Cli, folder: Path, command: str, name: str) -> None:
    put(folder, json.dumps({"state": "stopped"}).encode())
    assert cli("stack", command, "--", name).code == 2


def reserved(**choices: Any) -> Record:
    return records.reserve("starter", lambda _: {"state_dir": "/state"}, **choices)


def test_a_start_is_distinguished_from_a_later_one_of_the_same_id(folder: Path) -> None:
    first = reserved()
    records.rewrite(first, state="failed")
    second = reserved()
    assert (first.id, first.launch == second.launch) == (second.id, False)
    records.rewrite(first, state="failed", reason="of the first")
    records.forget(first)
    now = records.read(second.path)
    assert now is not None and (now.state, now.reason) == ("starting", None)


def test_what_runs_is_not_forgotten(folder: Path) -> None:
    record = reserved()
    records.forget(record)
    assert record.path.exists()
    records.rewrite(record, state="failed")
    records.forget(record)
    assert not record.path.exists()
    records.forget(record)


def test_a_server_is_not_restarted_twice_at_once(folder: Path) -> None:
    records.rewrite(reserved(), state="stopped")
    reserved(only="starter", beside=True)
    with pytest.raises(AlreadyRunning):
        reserved(only="starter", beside=True)


def test_a_record_is_written_whole_or_not_at_all(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = reserved()
    monkeypatch.setattr(records, "atomic_write", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OSError):
        records.rewrite(record, state="stopped")
    assert json.loads(record.path.read_text())["state"] == "starting"


def test_stopping_what_has_ended_meanwhile_is_no_failure(folder: Path) -> None:
    path = put(folder, json.dumps({"state": "ready", "pid": 999_999_999}).encode())
    gone = records.read(path)
    assert gone is not None
    assert stop(gone, timeout_s=0.1) == "drained"
    path.unlink()
    assert stop(gone, timeout_s=0.1) == "drained"
    starting = Record(id="a", name="a", state="starting", path=folder / "a.json", alive=True)
    with pytest.raises(Failure, match="never came up"):
        stop(starting, timeout_s=0.1)


def test_no_word_of_a_record_passes_for_another_line_of_its_status(cli: Cli, folder: Path) -> None:
    forged = "x\n  address  http://evil:1\n    inference openai ok"
    facts = {"state": "failed", "reason": forged, "url": forged, "log_file": forged}
    (folder / "starter.json").write_text(json.dumps({"id": "starter", "name": "starter", **facts}))
    status = cli("stack", "status", "starter")
    assert (status.code, [line.split()[0] for line in status.out.splitlines()]) == (
        7,
        ["starter", "reason", "address", "log"],
    )


def test_whoever_waits_for_one_that_is_only_starting_can_leave(cli: Cli) -> None:
    record = records.reserve("starter", lambda _: {"state_dir": "/state"})
    with pytest.raises(Failure) as raised:
        stop(record, timeout_s=1000, is_given_up=lambda: True)
    assert (raised.value.code, raised.value.message) == (ExitCode.INTERRUPTED, "`starter` is still starting")


def test_where_nothing_can_be_tidied_up_servers_are_listed_all_the_same(cli: Cli) -> None:
    record = records.reserve("mine", lambda _: {"options": {"port": 0}}, beside=True)
    kept = str(cli.home / "distributions" / "mine" / "instances" / "mine")
    record.path.write_text(json.dumps(json.loads(record.path.read_text()) | {"state": "stopped", "state_dir": kept}))
    os.utime(record.path, (time.time() - 3600,) * 2)
    lock = cli.home / "servers" / ".lock"
    lock.unlink()
    lock.mkdir()  # as closed to us, also to root, as on a disk that can only be read
    for command in (("ps", "--all"), ("stop", "mine")):
        result = cli("stack", *command)
        assert (result.code, result.err) in ((0, ""), (0, "`mine` is not running\n"))
    lock.rmdir()
    assert cli("stack", "ps", "--all").out == ""


def test_each_server_that_cannot_be_stopped_is_told(cli: Cli) -> None:
    with ExitStack() as locks:
        for name in ("a", "b"):
            path = records.reserve(name, lambda _: {}, beside=True).path
            path.write_bytes(GARBAGE["half"])
            os.utime(path, (time.time() - 3600,) * 2)
            fcntl.flock(locks.enter_context(path.open()), fcntl.LOCK_EX | fcntl.LOCK_NB)
        result = cli("stack", "stop", "a", "b")
    warned, failed = result.err.splitlines()[:2]
    assert result.code == 5
    assert warned.startswith("warning: `b` runs, and") and failed.startswith("error: `a` runs, and")
