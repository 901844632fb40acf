"""The files of `inline::faiss`: what is whole in them counts, wherever a write was broken off."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from runtime.providers.vector_io.faiss import log_file
from runtime.providers.vector_io.faiss.log_file import PUT, REMOVE, BrokenFile, LogFile

ROW = b"n" * 8 + b"vvvv" * 3


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of vectors of three numbers with three records in it."""
    place = tmp_path / "a.vectors"
    log = LogFile.make(place, 3)
    assert [*log.records()] == []
    log.add(PUT, 2, b"n" * 16, b"vvvv" * 6)
    log.add(REMOVE, 1, b"g" * 8)
    log.add(PUT, 1, ROW)
    log.close()
    return place


def kept(path: Path) -> list[tuple[int, int]]:
    log = LogFile(path)
    found = [(kind, rows) for kind, rows, _ in log.records()]
    log.close()
    return found


ALL = [(PUT, 2), (REMOVE, 1), (PUT, 1)]


def test_what_was_added_is_read_in_its_order(path: Path) -> None:
    assert kept(path) == ALL
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_record_that_was_broken_off_anywhere_is_cut_off(path: Path) -> None:
    whole = path.read_bytes()
    last = 13 + len(ROW)
    for missing in range(1, last + 1):
        path.write_bytes(whole[:-missing])
        assert kept(path) == ALL[:2]
        assert path.stat().st_size == len(whole) - last
    for written in (0, *range(13, last)):  # a file system that gives room before it writes
        path.write_bytes(whole[: len(whole) - last + written] + bytes(last - written))
        assert kept(path) == ALL[:2]


def test_records_are_added_after_what_was_cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])
    log = LogFile(path)
    assert len([*log.records()]) == 2
    log.add(REMOVE, 2, b"g" * 16)
    log.close()
    assert kept(path) == [*ALL[:2], (REMOVE, 2)]


@pytest.mark.parametrize("place", range(90))
def test_damage_is_said_and_not_taken_for_a_record_that_was_broken_off(path: Path, place: int) -> None:
    whole = bytearray(path.read_bytes())
    first, second, third = 16, 16 + 13 + 2 * len(ROW), 16 + 13 + 2 * len(ROW) + 21
    at = max(start for start in (0, first, second) if start <= place)
    assert len(whole) == third + 13 + len(ROW)
    for value in {0, 1, 255} - {whole[place]}:
        damaged = whole[:place] + bytes([value]) + whole[place + 1 :]
        path.write_bytes(damaged)
        with pytest.raises(BrokenFile, match=f"is damaged at byte {at}" if at else "is not a collection of ours"):
            kept(path)
        assert path.read_bytes() == damaged


def test_another_file_is_refused(path: Path) -> None:
    for content in (b"", b"LLVEC", b"SQLite format 3\0" * 10):
        path.write_bytes(content)
        with pytest.raises(BrokenFile, match="not a collection of ours"):
            LogFile(path)


def test_a_full_disk_leaves_nothing_of_a_record(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = LogFile(path)
    list(log.records())
    real, written = os.write, []

    def write(file: int, content: bytes) -> int:
        if written:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(real(file, content[:10]))
        return written[0]

    monkeypatch.setattr(log_file.os, "write", write)
    with pytest.raises(OSError, match="No space left"):
        log.add(PUT, 1, ROW)
    monkeypatch.undo()
    log.add(REMOVE, 1, b"g" * 8)
    log.close()
    assert kept(path) == [*ALL, (REMOVE, 1)]


def test_writing_anew_keeps_what_counts(path: Path) -> None:
    log = LogFile(path)
    list(log.records())
    log.write_anew([(1, ROW[:8], ROW[8:])])
    log.add(REMOVE, 1, b"g" * 8)
    assert log.size_bytes == path.stat().st_size
    log.close()
    assert kept(path) == [(PUT, 1), (REMOVE, 1)]
    assert [place.name for place in path.parent.iterdir()] == ["a.vectors"]
