"""A path that the user names is written for what it is: replaced where it is a file, never removed where it is not."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from runtime.config import user_file
from runtime.config.user_file import UserFile
from runtime.errors import AccessDenied, ConfigInvalid

TEXT = "ready\n"


def named(path: Path | str) -> UserFile:
    return UserFile(str(path), option="--ready-file")


def is_written(path: Path | str, text: str = TEXT) -> bool:
    """What a start does with it: look, clear, and later write."""
    file = named(path)
    file.clear()
    return file.write(text)


class Reader(threading.Thread):
    """Has a pipe open for reading, and reads it to its end once there is something in it."""

    def __init__(self, fifo: Path) -> None:
        super().__init__()
        self.handle = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        os.set_blocking(self.handle, True)
        self.data = b""

    def run(self) -> None:
        select.select([self.handle], [], [], 10)
        while part := os.read(self.handle, 65536):
            self.data += part
        os.close(self.handle)


def a_fifo(folder: Path) -> Path:
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


def a_link_to_a_fifo(folder: Path) -> Path:
    """As `/dev/null` would be harmed, without a real one."""
    (folder / "null").symlink_to(a_fifo(folder))
    return folder / "null"


def a_device(folder: Path) -> Path:
    """A null device of its own."""
    try:
        os.mknod(folder / "device", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        os.close(os.open(folder / "device", os.O_WRONLY))
    except (OSError, AttributeError) as error:
        pytest.skip(f"this user may not make a device here: {error}")
    return folder / "device"


@pytest.mark.parametrize("make", [a_fifo, a_link_to_a_fifo])
def test_a_pipe_stays_and_its_reader_gets_it_all(make: Callable[[Path], Path], tmp_path: Path) -> None:
    path = make(tmp_path)
    before = path.lstat()
    reader = Reader(path)
    reader.start()
    text = "x" * 200_000  # more than a pipe holds
    assert is_written(path, text)
    reader.join(10)
    assert reader.data == text.encode()
    assert (path.lstat().st_ino, path.lstat().st_mode) == (before.st_ino, before.st_mode)


@pytest.mark.parametrize("make", [a_fifo, a_link_to_a_fifo])
def test_a_pipe_that_nobody_reads_is_said_and_not_waited_for(make: Callable[[Path], Path], tmp_path: Path) -> None:
    path = make(tmp_path)
    before = path.lstat()
    assert not is_written(path)
    assert (path.lstat().st_ino, path.lstat().st_mode) == (before.st_ino, before.st_mode)


def test_nor_is_one_whose_reader_sleeps_or_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_file, "_READER_LIMIT_S", 0.05)
    path = a_fifo(tmp_path)
    reader = Reader(path)
    assert not is_written(path, "x" * 200_000)
    os.close(reader.handle)
    assert not is_written(path)


def test_a_reader_may_take_longer_in_all_than_it_may_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_file, "_READER_LIMIT_S", 1.0)
    clock = iter(range(0, 10_000_000, 10))  # in which every look takes longer than the limit
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    path = a_fifo(tmp_path)
    reader = Reader(path)
    reader.start()
    assert is_written(path, "x" * 200_000)
    reader.join(10)
    assert len(reader.data) == 200_000


def test_nor_is_an_inherited_pipe_that_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_file, "_READER_LIMIT_S", 0.05)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, b"x" * 4096)
    os.set_blocking(writing, True)
    outcome: list[bool] = []
    waiting = threading.Thread(target=lambda: outcome.append(is_written(Path(f"/dev/fd/{writing}"))), daemon=True)
    waiting.start()
    waiting.join(10)
    os.close(reading)
    os.close(writing)
    assert outcome == [False]


def test_a_device_stays(tmp_path: Path) -> None:
    path = a_device(tmp_path)
    before = path.stat()
    assert is_written(path)
    assert (path.stat().st_ino, path.stat().st_mode) == (before.st_ino, before.st_mode)


def test_a_terminal_shows_it(tmp_path: Path) -> None:
    primary, secondary = os.openpty()
    (tmp_path / "tty").symlink_to(os.ttyname(secondary))
    assert is_written(tmp_path / "tty")
    assert os.read(primary, 100) == TEXT.replace("\n", "\r\n").encode()
    os.close(primary)
    os.close(secondary)


def test_what_became_a_pipe_meanwhile_stays_one(tmp_path: Path) -> None:
    file = named(tmp_path / "pipe")
    file.clear()
    path = a_fifo(tmp_path)
    assert not file.write(TEXT)
    assert path.is_fifo()


def test_a_new_file_is_for_all_to_read(tmp_path: Path) -> None:
    path = tmp_path / "ready.json"
    before = os.umask(0o077)
    try:
        assert is_written(path)
    finally:
        os.umask(before)
    assert (path.read_text(), path.stat().st_mode & 0o777) == (TEXT, 0o644)
    assert [entry.name for entry in tmp_path.iterdir()] == ["ready.json"]


def test_who_waits_for_a_file_does_not_find_the_former_one(tmp_path: Path) -> None:
    path = tmp_path / "ready.json"
    path.write_text("from before")
    path.chmod(0o640)
    file = named(path)
    assert path.read_text() == "from before"  # looking alone changes nothing
    file.clear()
    assert not path.exists()
    assert file.write(TEXT)
    assert (path.read_text(), path.stat().st_mode & 0o777) == (TEXT, 0o640)


@pytest.mark.parametrize("is_there", [True, False])
def test_a_link_stays_and_leads_to_what_is_new(is_there: bool, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "file", tmp_path / "link"
    if is_there:
        target.write_text("from before")
    link.symlink_to(Path("elsewhere") / "file")
    assert is_written(link)
    assert link.is_symlink() and not target.is_symlink()
    assert target.read_text() == TEXT


@pytest.mark.parametrize("refusal", ["unlink", "replace"])
def test_a_file_that_may_not_be_replaced_is_written_in_place(
    refusal: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where it is mounted into a container, or stands in a folder of somebody else."""

    def busy(*args: object, **kwargs: object) -> None:
        raise OSError(16, "Device or resource busy")

    path = tmp_path / "ready.json"
    path.write_text("from before, and longer")
    before = path.stat().st_ino
    file = named(path)
    monkeypatch.setattr(Path, "unlink" if refusal == "unlink" else "replace", busy)
    if refusal == "unlink":
        file.clear()
        assert path.read_text() == ""
    monkeypatch.setattr(Path, "replace", busy)
    assert file.write(TEXT)
    assert (path.read_text(), path.stat().st_ino) == (TEXT, before)


@pytest.mark.parametrize("by", ["-", "number", "link"])
def test_an_open_descriptor_is_written_to_where_it_stands(
    by: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Also where it is open on a file, which its writer would lose were it replaced."""
    if by == "-":
        assert is_written("-")
        assert capfd.readouterr().out == TEXT
        return
    with (tmp_path / "out.txt").open("w") as out:
        out.write("before\n")
        out.flush()
        place = Path(f"/dev/fd/{out.fileno()}")
        if not place.exists():
            pytest.skip("this system has no /dev/fd")
        if by == "link":
            (tmp_path / "link").symlink_to(place)
        assert is_written(tmp_path / "link" if by == "link" else place)
        out.write("after\n")
    assert (tmp_path / "out.txt").read_text() == f"before\n{TEXT}after\n"


def a_folder(folder: Path) -> Path:
    (folder / "folder").mkdir()
    return folder / "folder"


def a_socket(folder: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(folder / "socket"))  # a socket's name may not be long
    return folder / "socket"


def a_circle(folder: Path) -> Path:
    (folder / "circle").symlink_to("circle")
    return folder / "circle"


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (a_folder, "is a folder"),
        (a_socket, "is a socket"),
        (a_circle, "cannot be a file: Too many levels of symbolic links"),
        (lambda folder: folder / "nowhere" / "file", "there is no folder"),
        (lambda folder: folder / ("x" * 5000), "cannot be a file: File name too long"),
        (lambda folder: Path("/dev/fd/987"), "is not open for writing"),
    ],
)
def test_what_cannot_be_written_is_a_wrong_option(make: Callable[[Path], Path], why: str, tmp_path: Path) -> None:
    path = make(tmp_path)
    with pytest.raises(ConfigInvalid, match=why) as refused:
        named(path)
    assert [problem.path for problem in refused.value.problems] == ["--ready-file"]
    assert [entry.name for entry in tmp_path.iterdir()] in ([], [path.name])


def test_so_is_a_descriptor_that_is_open_for_reading_only(tmp_path: Path) -> None:
    (tmp_path / "input").write_text("x")
    handle = os.open(tmp_path / "input", os.O_RDONLY)
    try:
        with pytest.raises(ConfigInvalid, match="is not open for writing"):
            named(f"/dev/fd/{handle}")
    finally:
        os.close(handle)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("-", "standard output"),
        ("/dev/fd/1", "standard output"),
        ("~/r.json", "`~/r.json`"),
        ("/dev/fd/2", "`/dev/fd/2`"),
    ],
)
def test_messages_name_it_as_it_was_given(given: str, name: str) -> None:
    file = named(given)
    assert (file.name, file.is_stdout) == (name, name == "standard output")


def test_so_is_what_is_not_yours(tmp_path: Path) -> None:
    path = tmp_path / "ready.json"
    path.write_text("x")
    path.chmod(0o444)
    if os.access(path, os.W_OK):
        pytest.skip("this user may write everything")
    with pytest.raises(AccessDenied, match="`--ready-file`: you may not write"):
        named(path)
    tmp_path.chmod(0o555)
    with pytest.raises(AccessDenied, match="you may not write in"):
        named(tmp_path / "new.json")
    tmp_path.chmod(0o755)
