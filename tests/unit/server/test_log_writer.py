"""The thread that writes the log: many lines at once, in order, and what happens when a target takes none."""

from __future__ import annotations

import errno
import json
import logging
import resource
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from runtime.server import log_targets, log_writer
from runtime.server.log_targets import LogFile
from runtime.server.log_writer import LogWriter


def record(message: str, *arguments: Any, level: int = logging.INFO) -> logging.LogRecord:
    return logging.LogRecord("runtime.stack", level, __file__, 1, message, arguments, None)


def same(record: logging.LogRecord) -> logging.LogRecord:
    return record


class Lines:
    """A target that keeps each write."""

    def __init__(self) -> None:
        self.writes: list[list[str]] = []
        self.has_some = threading.Event()

    def format(self, record: logging.LogRecord) -> str:
        return record.getMessage()

    def write(self, lines: Sequence[str]) -> None:
        self.writes.append(list(lines))
        self.has_some.set()

    def close(self) -> None:
        pass


def test_many_lines_are_one_write_and_stay_in_order() -> None:
    target = Lines()
    writer = LogWriter([target], same)
    for number in range(5000):
        writer.put(record("%d", number))
    writer.stop()
    assert [line for lines in target.writes for line in lines] == [str(number) for number in range(5000)]
    assert len(target.writes) < 50


def test_a_line_is_written_soon_although_no_other_follows() -> None:
    target = Lines()
    writer = LogWriter([target], same)
    writer.put(record("alone"))
    assert target.has_some.wait(5)
    writer.stop()


def test_a_warning_is_not_kept_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_writer, "_GATHER_S", 60.0)
    target = Lines()
    writer = LogWriter([target], same)
    writer.put(record("before"))
    writer.put(record("a warning", level=logging.WARNING))
    assert target.has_some.wait(5)
    assert target.writes[0] == ["before", "a warning"]
    writer.put(record("the last line"))
    writer.stop()  # which does not wait either
    assert target.writes[-1] == ["the last line"]


class Moody(Lines):
    """Takes lines only while it is told to. Fails otherwise, as a full disk does, or waits, as a pipe nobody reads."""

    def __init__(self, *, waits: bool = False) -> None:
        super().__init__()
        self.takes, self.is_asked = threading.Event(), threading.Event()
        self._waits = waits

    def write(self, lines: Sequence[str]) -> None:
        self.is_asked.set()
        if self._waits:
            self.takes.wait(10)
        if self.takes.is_set():
            super().write(lines)
        else:
            raise OSError(errno.ENOSPC, "No space left on device")


def test_a_log_that_cannot_be_written_is_told_once_and_its_losses_are_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    full, other = Moody(), Lines()
    writer = LogWriter([full, other], same)
    for turn in range(3):
        if turn == 2:
            full.takes.set()
        full.is_asked.clear()
        other.has_some.clear()
        writer.put(record(f"line {turn}"))
        assert full.is_asked.wait(5) and other.has_some.wait(5)
    assert writer.stop()
    assert full.writes == [["line 2"], ["lines of the log were lost; there are up to 2 of them"]]
    assert capsys.readouterr().err.count("the log cannot be written: [Errno 28] No space left on device") == 1


def test_what_waits_for_a_target_that_takes_none_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_writer, "_MAX_WAITING", 10)
    stuck = Moody(waits=True)
    writer = LogWriter([stuck], same)
    writer.put(record("first", level=logging.WARNING))
    assert stuck.is_asked.wait(5)
    for number in range(15):
        writer.put(record("%d", number))
    stuck.takes.set()
    assert writer.stop()
    lines = [line for lines in stuck.writes for line in lines]
    assert lines == ["first", *map(str, range(10)), "lines of the log were lost; there are up to 5 of them"]


def test_a_target_that_takes_none_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_writer, "_STOP_LIMIT_S", 0.01)
    stuck = Moody(waits=True)
    writer = LogWriter([stuck], same)
    writer.put(record("first"))
    assert not writer.stop()
    stuck.takes.set()


def test_a_file_that_cannot_be_rotated_grows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(log_targets, "_FILE_BYTES", 100)
    (tmp_path / "server.log.2").touch()
    (tmp_path / "server.log.3").mkdir()  # cannot be replaced
    file = LogFile(tmp_path / "server.log")
    for number in range(10):
        file.write([f"{number} {'x' * 30}"])
    file.close()
    assert [line[0] for line in (tmp_path / "server.log").read_text().splitlines()] == list("0123456789")
    assert capsys.readouterr().err.count("the log cannot be rotated, and grows") == 3


def test_a_line_that_a_full_disk_takes_in_part_spoils_no_other(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "server.log")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    lines = [json.dumps({"number": number, "text": "x" * 100}) for number in range(4)]
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, hard))
    try:
        file.write(lines[:1])
        for _ in range(2):
            with pytest.raises(OSError, match="too large"):
                file.write(lines[1:2])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    file.write(lines[2:])
    file.close()
    first, torn, *rest = (tmp_path / "server.log").read_text().splitlines()
    assert [first, *rest] == [lines[0], *lines[2:]]
    assert torn and lines[1].startswith(torn)
