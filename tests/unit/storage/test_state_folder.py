"""The state folder of a server: held, or told why not."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
from pathlib import Path

import pytest

from runtime.errors import ConfigInvalid, Conflict
from runtime.storage import state_folder


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks at a lock has no second to wait for."""
    now = iter(range(10_000))
    monkeypatch.setattr(state_folder.time, "monotonic", lambda: next(now))


def test_one_that_is_held_names_its_holder_and_one_that_was_is_free(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "state"
    assert not state_folder.is_held(folder)
    state_folder.hold(folder, holder="a long name of the first")
    with pytest.raises(Conflict, match=r"in use by another process: a long name of the first$"):
        state_folder.hold(folder, holder="the second")
    assert state_folder.is_held(folder)
    (folder / state_folder.LOCK).unlink()  # as after the process has ended: nobody holds what is there then
    state_folder.hold(folder, holder="third")
    assert (folder / state_folder.LOCK).read_text() == "third"
    assert (folder / state_folder.LOCK).stat().st_mode & 0o077 == 0


def test_a_process_that_lets_it_go_can_hold_it_again(tmp_path: Path) -> None:
    with state_folder.hold(tmp_path, holder="first") as held:
        assert state_folder.is_held(tmp_path)
        held.let_go()
        other = os.open(os.devnull, os.O_RDONLY)  # may get the number of the file that was closed
    assert not state_folder.is_held(tmp_path)
    os.close(other)
    with state_folder.hold(tmp_path, holder="second"):
        assert state_folder.is_held(tmp_path)
    assert not state_folder.is_held(tmp_path)


def test_one_that_this_process_holds_is_refused_without_a_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be asked for on the event loop of the program whose other stack has it."""
    waits: list[float] = []
    tenths = iter(range(10_000))
    monkeypatch.setattr(state_folder.time, "monotonic", lambda: next(tenths) / 10)
    monkeypatch.setattr(state_folder.time, "sleep", waits.append)
    refused = pytest.raises(Conflict, match=r"in use by this process: the first$")
    with state_folder.hold(tmp_path, holder="the first"), refused:
        state_folder.hold(tmp_path, holder="the second")
    assert not waits


def test_what_can_be_no_folder_is_told_of_the_option(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigInvalid, match="cannot be a folder for state"):
        state_folder.hold(tmp_path / "file", holder="me")


def test_where_there_are_no_locks_it_goes_on_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def flock(fd: int, how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)
    with caplog.at_level(logging.WARNING):
        state_folder.hold(tmp_path, holder="me")
    assert caplog.messages == ["the state folder cannot be locked"]
