"""Ready files are removed with the process that they speak of, and never another's."""

from __future__ import annotations

import json
from pathlib import Path

from runtime.config import ready_files


def put(folder: Path, name: str, pid: object) -> Path:
    file = folder / name
    file.write_text(json.dumps({"pid": pid}))
    return file


def test_what_is_noted_is_removed_with_its_process(tmp_path: Path) -> None:
    record = tmp_path / "servers" / "starter.json"
    one, two, gone = put(tmp_path, "a b.json", 7), put(tmp_path, "two.json", 8), tmp_path / "gone.json"
    for pid, file in ((7, one), (8, two), (7, one), (7, gone)):
        ready_files.note(record, pid=pid, file=file)
    assert ready_files.noted(record) == [(8, two), (7, one), (7, gone)]
    ready_files.remove(record, pid=7)
    assert (one.exists(), two.exists(), ready_files.noted(record)) == (False, True, [(8, two)])
    ready_files.remove(record, but=8)
    assert two.exists()
    ready_files.remove(record)
    assert not two.exists() and list(record.parent.iterdir()) == []


def test_a_file_that_is_anothers_by_now_stays(tmp_path: Path) -> None:
    record = tmp_path / "starter.json"
    files = [put(tmp_path, "later.json", 9), put(tmp_path, "list.json", [7]), tmp_path / "text", tmp_path / "folder"]
    files[2].write_text("[" * 100_000)
    files[3].mkdir()
    for file in files:
        ready_files.note(record, pid=7, file=file)
    ready_files.remove(record, pid=7)
    assert all(file.exists() for file in files) and ready_files.noted(record) == []


def test_what_cannot_be_read_is_no_note(tmp_path: Path) -> None:
    record = tmp_path / "starter.json"
    assert ready_files.noted(record) == []
    record.with_suffix(".ready").write_bytes(b"\xff\nx /y\n7\n7 /there\n")
    assert ready_files.noted(record) == [(7, Path("/there"))]
