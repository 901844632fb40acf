"""Records of servers: who is alive, which id is taken, what a half-written file does."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from llama_cli.exits import ExitCode, Failure
from llama_cli.servers import named, records, tidy
from llama_cli.servers.records import AlreadyRunning, Record
from runtime.errors import NotFound, Unavailable


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LLAMA_HOME", str(tmp_path))
    return tmp_path


def make(name: str, state_dir: str = "/state", **choices: Any) -> Record:
    return records.reserve(name, lambda server_id: {"state_dir": state_dir, "log_file": f"/{server_id}.log"}, **choices)


@contextmanager
def running(record: Record, **facts: Any) -> Iterator[None]:
    """As its server would: locked, and rewritten in place."""
    with record.path.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        stated = json.load(file) | {"state": "ready", "pid": os.getpid(), **facts}
        file.seek(0)
        file.write(json.dumps(stated))
        file.truncate()
        file.flush()
        yield


def test_a_new_record_is_starting_and_private() -> None:
    record = make("starter")
    assert (record.id, record.name, record.seen_state, record.alive) == ("starter", "starter", "starting", True)
    assert record.log_file == "/starter.log"
    assert record.path.stat().st_mode & 0o777 == 0o600
    assert 0 <= (record.uptime_s or -1) < 60


def test_alive_is_a_lock_and_not_a_pid() -> None:
    record = make("starter")
    with running(record):
        [seen] = records.records()
        assert (seen.seen_state, seen.alive, seen.pid) == ("ready", True, os.getpid())
    [seen] = records.alive_records() or records.records()
    # The pid is ours and we live; the lock is gone.
    assert (seen.seen_state, seen.alive, seen.uptime_s) == ("crashed", False, None)


def test_why_it_was_degraded_is_not_why_it_crashed() -> None:
    record = make("starter")
    with running(record, state="degraded", reason="vllm: refused", degraded={"vllm": "refused"}):
        assert records.records()[0].explanation == "vllm: refused"
    assert (records.records()[0].explanation or "").startswith("it ended without saying why")
    records.rewrite(record, reason="it was killed by SIGKILL", exit_code=7)  # as the command that started it writes
    assert records.records()[0].explanation == "it was killed by SIGKILL"
    records.rewrite(record, state="stopped", reason=None)
    assert records.records()[0].explanation is None


@pytest.mark.parametrize("state", ["stopped", "failed"])
def test_an_ended_server_has_not_crashed(state: str) -> None:
    record = make("starter")
    records.rewrite(record, state=state, reason="why")
    [seen] = records.records()
    assert (seen.seen_state, seen.alive, seen.reason) == (state, False, "why")


def test_a_record_without_a_pid_stops_counting_after_a_while() -> None:
    record = make("starter")
    before = time.time() - records.UNLOCKED_GRACE_S - 1
    os.utime(record.path, (before, before))
    assert records.records()[0].seen_state == "crashed"
    records.note_start(record)  # as who has started it does for as long as it is under way
    assert records.records()[0].seen_state == "starting"


def test_the_state_of_a_running_server_is_its_own() -> None:
    with running(make("starter")), pytest.raises(AlreadyRunning) as raised:
        make("starter")
    assert raised.value.record.id == "starter"
    assert make("starter").id == "starter"


def test_a_state_folder_is_one_by_whatever_name_it_is_reached(tmp_path: Path) -> None:
    """A server states the name that all links lead to; its home can be a link, and so can what is typed."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to("kept")
    with running(make("starter", str(tmp_path / "kept"))):
        for name in ("link", "link/../kept", "kept/"):
            with pytest.raises(AlreadyRunning):
                make("starter", f"{tmp_path}/{name}")
        assert make("starter", str(tmp_path / "other")).id == "starter-2"


def test_the_state_of_one_start_is_its_own_also_where_the_home_is_a_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "home").symlink_to("real")
    monkeypatch.setenv("LLAMA_HOME", str(tmp_path / "home"))
    for home in ("home", "real"):
        kept = tmp_path / home / "distributions" / "mine" / "instances" / "mine"
        facts = {"state_dir": str(kept), "options": {"port": 0}}
        record = records.reserve("mine", lambda _, facts=facts: facts, beside=True)
        assert tidy.own_state(record) == kept


def test_beside_takes_the_next_id() -> None:
    with running(make("starter", "/1", beside=True)), running(make("starter", "/2", beside=True)):
        assert make("starter", "/3", beside=True).id == "starter-3"
        # Another state folder is no conflict, whatever else runs.
        assert make("starter", "/own").id == "starter-4"


def test_the_id_of_another_distribution_is_left_to_it() -> None:
    records.rewrite(make("starter-2"), state="stopped")
    with running(make("starter", "/1")):
        assert make("starter", "/2", beside=True).id == "starter-3"


def test_a_restart_takes_its_own_id_again() -> None:
    records.rewrite(make("starter", "/1"), state="stopped")
    assert make("starter", "/1", only="starter-7").id == "starter-7"


def test_a_running_servers_record_is_not_rewritten() -> None:
    record = make("starter")
    with running(record):
        records.rewrite(record, state="failed")
        assert records.records()[0].state == "ready"


def test_half_a_record_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    record = make("starter")
    whole = record.path.read_text()
    record.path.write_text(whole[:20])
    monkeypatch.setattr(records.time, "sleep", lambda seconds: record.path.write_text(whole))
    seen = records.read(record.path)
    assert seen is not None and seen.name == "starter"


def test_what_is_no_record_is_passed_over(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(records.time, "sleep", waited.append)
    folder = home / "servers"
    folder.mkdir()
    (folder / "torn.json").write_text('{"id"')
    (folder / "list.json").write_text("[]")
    assert records.records() == []
    assert sum(waited) == pytest.approx(0.5)


def test_keys_of_another_version_are_ignored() -> None:
    record = make("starter")
    record.path.write_text(json.dumps(json.loads(record.path.read_text()) | {"from_the_future": 1}))
    assert named.find("starter").id == "starter"


def test_find_by_id_by_name_and_by_being_the_only_one() -> None:
    with pytest.raises(Unavailable, match="no server is running"):
        named.find(None)
    with running(make("starter", "/1")):
        assert named.find(None).id == named.find("starter").id == "starter"
        with running(make("starter", "/2", beside=True)):
            assert named.find("starter").id == "starter"
            with pytest.raises(Failure, match="`starter`, `starter-2`") as raised:
                named.find(None)
            assert raised.value.code == ExitCode.USAGE
            named.find("starter").path.unlink()
            assert named.find("starter").id == "starter-2"


def test_the_only_one_that_crashed_is_found_where_that_is_wanted_and_none_runs() -> None:
    with running(make("crashed", "/1")):
        pass
    assert named.find(None, or_crashed=True).id == "crashed"
    with pytest.raises(Unavailable):
        named.find(None)
    with running(make("alive", "/2")):
        assert named.find(None, or_crashed=True).id == "alive"


def test_find_names_the_nearest() -> None:
    make("starter")
    with pytest.raises(NotFound) as raised:
        named.find("stater")
    assert (raised.value.message, raised.value.hint) == ("there is no server `stater`", "did you mean `starter`?")
    with pytest.raises(NotFound) as raised:
        named.find("xyzzy")
    assert raised.value.hint == "list them with `llama stack ps --all`"


@pytest.mark.parametrize("for_command", [True, False])
def test_what_was_for_a_command_goes_once_it_has_ended_however_that_was(for_command: bool, tmp_path: Path) -> None:
    def made() -> tuple[Record, Path]:
        def facts(server_id: str) -> dict[str, Any]:
            folder = tmp_path / "distributions" / "mine" / "instances" / server_id
            return {"state_dir": str(folder), "options": {"port": 0, "for_command": for_command}}

        record = records.reserve("mine", facts, beside=True)
        state = Path(record.state_dir or "")
        state.mkdir(parents=True)
        return record, state

    (starting, its_state), (killed, state) = made(), made()
    with running(killed):
        tidy.sweep()
        assert [starting.path.exists(), its_state.exists(), killed.path.exists(), state.exists()] == [True] * 4
    tidy.sweep()
    assert [starting.path.exists(), its_state.exists()] == [True] * 2
    assert [killed.path.exists(), state.exists()] == [not for_command] * 2
