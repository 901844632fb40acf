"""Reading a server's log: order, filters, rotation while it is followed, lines that are no JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from llama_cli.servers import log as server_log
from llama_cli.servers.log import Wanted


def line(message: str, *, minute: int = 0, level: str = "info", **fields: Any) -> str:
    return json.dumps({"time": f"2026-01-01T00:{minute:02}:00Z", "level": level, "message": message, **fields}) + "\n"


def messages(log: Path, wanted: Wanted | None = None) -> list[str]:
    return [entry["message"] for entry in server_log.follow(log, wanted or Wanted())]


def test_rotated_files_come_first_and_oldest_first(tmp_path: Path) -> None:
    log = tmp_path / "starter.log"
    for suffix, message in (
        ("", "now"),
        (".1", "before"),
        (".2", "long ago"),
        (".10", "first"),
        (".stderr", "not this"),
    ):
        (tmp_path / f"starter.log{suffix}").write_text(line(message))
    assert messages(log) == ["first", "long ago", "before", "now"]


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [
        (Wanted(), ["a", "b", "c", "Traceback"]),
        (Wanted(level="warning"), ["b", "Traceback"]),
        (Wanted(level="error"), ["Traceback"]),
        (Wanted(request_id="r1"), ["c"]),
        (Wanted(since=datetime(2026, 1, 1, 0, 2, tzinfo=UTC)), ["c", "Traceback"]),
    ],
)
def test_filters(wanted: Wanted, kept: list[str], tmp_path: Path) -> None:
    log = tmp_path / "log"
    lines = [line("a"), line("b", minute=1, level="warning"), line("c", minute=2, request_id="r1"), "Traceback\n", "\n"]
    log.write_text("".join(lines))
    assert messages(log, wanted) == kept


def test_an_entry_in_words() -> None:
    entry = {
        "time": "2026-01-01T00:00:00Z",
        "level": "warning",
        "logger": "x",
        "message": "slow",
        "ms": 7,
        "none": None,
    }
    clock = datetime(2026, 1, 1, tzinfo=UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    assert server_log.describe(entry) == f"{clock} warning slow ms=7"
    assert server_log.describe({"message": "bare"}) == "bare"


def test_last_lines(tmp_path: Path) -> None:
    file = tmp_path / "log"
    assert server_log.last_lines(file, 2) == []
    file.write_text("one\ntwo\nthree\n")
    assert server_log.last_lines(file, 2) == ["two", "three"]


def test_last_lines_are_of_this_start_also_after_a_rotation(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_text("earlier\nnow\n")
    assert server_log.last_lines(file, 9, since_byte=len("earlier\n")) == ["now"]
    assert server_log.last_lines(file, 9, since_byte=file.stat().st_size) == []
    assert server_log.last_lines(file, 9, since_byte=1000) == ["earlier", "now"]


def test_last_lines_do_not_repeat_what_is_said_anyway(tmp_path: Path) -> None:
    file = tmp_path / "stderr"
    file.write_text("error: the config has 1 problem\n  a.b: bad\n\nhint: mend it\nTraceback\n")
    told = "the config has 1 problem\n  a.b: bad; mend it"
    assert server_log.last_lines(file, 9, beyond=told) == ["Traceback"]
    file.write_text('{"message": "provider not started", "error": "no weights"}\n{"message": "b", "error": "else"}\n')
    assert server_log.last_lines(file, 9, beyond="a required provider is not ready: `m`: no weights") == [
        "b error=else"
    ]


def follow(log: Path, steps: list[Callable[[], object]], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Follows a log while `steps` happen, one at each moment when it would wait; the server ends after the last."""
    waiting = iter(steps)
    left = len(steps)

    def step(seconds: float) -> None:
        nonlocal left
        next(waiting)()
        left -= 1

    monkeypatch.setattr(server_log.time, "sleep", step)
    return [entry["message"] for entry in server_log.follow(log, Wanted(), is_running=lambda: left > 0)]


def test_following_reads_on_through_rotation_and_half_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    (tmp_path / "log.1").write_text(line("old"))
    log.write_text(line("first"))
    half = line("halved")

    def append(text: str) -> Callable[[], object]:
        def write() -> None:
            with log.open("a") as file:
                file.write(text)

        return write

    def rotate() -> None:
        append(line("last before"))()
        log.rename(tmp_path / "log.2")
        log.write_text(line("first after"))

    steps = [append(half[:9]), append(half[9:]), rotate, append(line("at the end"))]
    assert follow(log, steps, monkeypatch) == ["old", "first", "halved", "last before", "first after", "at the end"]


def test_following_waits_for_a_log_that_is_not_there_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    assert follow(log, [lambda: None, lambda: log.write_text(line("hello"))], monkeypatch) == ["hello"]


def test_following_what_has_ended_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    log.write_text(line("only"))
    assert follow(log, [], monkeypatch) == ["only"]


def test_a_start_that_never_became_ready_has_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It leaves no record."""
    monkeypatch.setenv("LLAMA_HOME", str(tmp_path))
    log = tmp_path / "distributions" / "starter" / "logs" / "starter-2.log"
    log.parent.mkdir(parents=True)
    log.write_text(line("it failed"))
    assert server_log.left_behind("starter-2") == log
    assert server_log.left_behind("starter") is None
    assert server_log.left_behind("../starter-2") is None
