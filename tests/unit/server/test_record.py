"""A server's record: locked for life, rewritten in place, readable at any moment."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Any

import pytest

from runtime.errors import Conflict
from runtime.server.record import ServerRecord
from runtime.storage import state_folder


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def is_locked(path: Path) -> bool:
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def test_it_keeps_what_the_command_line_wrote_and_nothing_of_an_earlier_run(tmp_path: Path) -> None:
    path = tmp_path / "starter.json"
    path.write_text(
        json.dumps(
            {"id": "starter", "name": "s", "options": {"port": 1}, "state": "failed", "reason": "old", "url": "old"}
        )
    )
    ServerRecord(path).say("starting", host="127.0.0.1")
    found = read(path)
    assert {name: found[name] for name in ("id", "name", "options", "state", "host")} == {
        "id": "starter", "name": "s", "options": {"port": 1}, "state": "starting", "host": "127.0.0.1",
    }  # fmt: skip
    assert "reason" not in found and "url" not in found
    assert found["pid"] == os.getpid()
    assert found["started_at"].endswith("Z")


@pytest.mark.parametrize("content", ["", "{", "[1]", "null"])
def test_a_record_that_is_no_document_is_begun_anew(tmp_path: Path, content: str) -> None:
    path = tmp_path / "servers" / "mine.json"
    path.parent.mkdir()
    path.write_text(content)
    ServerRecord(path).say("starting")
    assert read(path)["id"] == "mine"


def test_it_is_rewritten_in_place_also_with_less(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    record = ServerRecord(path)
    record.say("failed", reason="x" * 1000)
    inode = path.stat().st_ino
    record.say("ready", reason=None)
    assert (read(path)["state"], path.stat().st_ino) == ("ready", inode)


def test_its_time_of_start_stays(tmp_path: Path) -> None:
    record = ServerRecord(tmp_path / "record.json")
    record.say("starting")
    first = read(tmp_path / "record.json")["started_at"]
    record.say("ready")
    assert read(tmp_path / "record.json")["started_at"] == first


class Clock:
    """Goes on while somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def test_only_one_server_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(state_folder, "time", clock)
    path = tmp_path / "record.json"
    held = ServerRecord(path)
    held.say("ready")
    assert is_locked(path)
    with pytest.raises(Conflict, match="belongs to a running server"):
        ServerRecord(path)
    assert read(path)["state"] == "ready"
    assert 0.9 < clock.now_s < 1.1  # so long whoever only looks may hold it


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    ServerRecord(tmp_path / "record.json")
    assert (tmp_path / "record.json").stat().st_mode & 0o077 == 0
