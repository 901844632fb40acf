"""Folders that code has filled are removed, however deep they are, whatever is closed in them, and nothing beside."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from runtime import trees
from runtime.trees import remove_tree


def nested(top: Path, depth: int) -> None:
    """Folders within folders, with a file in the last one."""
    top.mkdir()
    holder = os.open(top, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=holder)
        inner = os.open("d", os.O_RDONLY, dir_fd=holder)
        os.close(holder)
        holder = inner
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=holder))
    os.close(holder)


@pytest.mark.parametrize("depth", [0, 3, 2100])
def test_deeper_than_a_path_and_than_a_function_may_call_itself(tmp_path: Path, depth: int) -> None:
    nested(tmp_path / "top", depth)
    remove_tree(tmp_path / "top")
    assert [*tmp_path.iterdir()] == []


def test_what_is_not_there_is_nothing_to_do(tmp_path: Path) -> None:
    remove_tree(tmp_path / "none")


def test_closed_folders_and_links_and_nothing_beside(tmp_path: Path) -> None:
    beside, top = tmp_path / "beside", tmp_path / "top"
    beside.mkdir(mode=0o751)
    (beside / "kept").write_text("kept")
    (top / "a" / "b").mkdir(parents=True)
    (top / "a" / "b" / "file").write_text("x")
    for place in (top / "link", top / "a" / "link", top / "a" / "b" / "link"):
        place.symlink_to(beside)
    os.mkfifo(top / "a" / "pipe")
    for place in (top / "a" / "b", top / "a", top):
        place.chmod(0)
    remove_tree(top)
    assert [*tmp_path.iterdir()] == [beside] and (beside / "kept").read_text() == "kept"
    assert beside.stat().st_mode & 0o777 == 0o751
    (tmp_path / "link").symlink_to(beside)
    with pytest.raises(NotADirectoryError):
        remove_tree(tmp_path / "link")
    assert (beside / "kept").exists()


def test_what_cannot_be_removed_keeps_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c"):
        nested(tmp_path / name, 2)
    remove = trees._remove

    def fails_for_one(name: str, top: int) -> None:
        if name == "b":
            raise OSError(errno.EPERM, "not permitted")
        remove(name, top)

    monkeypatch.setattr(trees, "_remove", fails_for_one)
    with pytest.raises(OSError, match="not permitted"):
        remove_tree(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_nor_beside_it_in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "folder").mkdir()
    for name in ("a", "b", "c"):
        (tmp_path / "folder" / name).write_text("x")
    unlink = os.unlink

    def fails_for_one(name: str, dir_fd: int) -> None:
        if name == "b":
            raise OSError(errno.EPERM, "not permitted")
        unlink(name, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", fails_for_one)
    with pytest.raises(OSError, match="not permitted"):
        remove_tree(tmp_path)
    monkeypatch.undo()
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["b"]
