"""A server's record is one whole document at any moment: between two system calls, when a signal writes it meanwhile,
when the server is killed there, on a full disk.
"""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from runtime.server import record as record_module
from runtime.server.record import ServerRecord

LONG, SHORT = "x" * 9000, "x"
CALLS = ("fstat", "pwrite", "ftruncate", "fsync")


class Killed(BaseException):
    """The process is gone: nothing of what it was about to do happens."""


def seen(path: Path) -> Any:
    return json.loads(path.read_text())


@contextmanager
def between_system_calls(monkeypatch: pytest.MonkeyPatch, do: Callable[[int], None]) -> Iterator[None]:
    """Do something before and after each system call on the record, told how many such moments there were before."""
    moments = 0

    def around(call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any) -> Any:
            nonlocal moments
            for step in (None, call, None):
                if step is None:
                    moments += 1
                    do(moments - 1)
                else:
                    result = step(*arguments)
            return result

        return called

    with monkeypatch.context() as patch:
        for name in CALLS:
            patch.setattr(record_module.os, name, around(getattr(os, name)))
        yield


@pytest.fixture(params=[(SHORT, LONG), (LONG, SHORT), (SHORT, SHORT)], ids=["grows", "shrinks", "stays"])
def sizes(request: pytest.FixtureRequest) -> tuple[str, str]:
    before, after = request.param
    return before, after


def test_whoever_reads_between_two_system_calls_finds_the_old_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sizes: tuple[str, str]
) -> None:
    path, (before, after) = tmp_path / "record.json", sizes
    record = ServerRecord(path)
    record.say("starting", reason=before)
    states: list[str] = []
    with between_system_calls(monkeypatch, lambda moment: states.append(seen(path)["state"])):
        record.say("ready", reason=after)
    assert len(states) >= 4 and states == sorted(states, key=["starting", "ready"].index)
    assert seen(path)["reason"] == after


@pytest.mark.parametrize("moment", range(8))
def test_a_signal_that_writes_meanwhile_has_the_last_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sizes: tuple[str, str], moment: int
) -> None:
    path, (before, after) = tmp_path / "record.json", sizes
    record = ServerRecord(path)
    record.say("starting", reason=before)

    def handler(now: int) -> None:
        assert seen(path)
        if now == moment:
            record.say("draining", reason=before + after)

    with between_system_calls(monkeypatch, handler):
        record.say("ready", reason=after)
        if seen(path)["state"] == "ready":  # it was over before that moment came
            handler(moment)
    assert (seen(path)["state"], seen(path)["reason"]) == ("draining", before + after)


@pytest.mark.parametrize("moment", range(8))
def test_a_server_killed_between_two_system_calls_leaves_a_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sizes: tuple[str, str], moment: int
) -> None:
    path, (before, after) = tmp_path / "record.json", sizes
    record = ServerRecord(path)
    record.say("starting", reason=before)

    def kill(now: int) -> None:
        if now >= moment:
            raise Killed

    with between_system_calls(monkeypatch, kill):
        try:
            record.say("ready", reason=after)
        except Killed:
            assert seen(path)["state"] in ("starting", "ready")
    assert seen(path)["id"] == "record"


@contextmanager
def files_end_at(size_bytes: int) -> Iterator[None]:
    """The kernel lets no file of this process grow beyond it: it takes what fits of a write and refuses the rest, as
    a full disk does.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_the_record_as_it_was_and_the_next_change_is_written(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    record = ServerRecord(path)
    record.say("starting", reason=SHORT)
    with files_end_at(path.stat().st_size + 100):
        assert not record.say("degraded", reason=LONG)
        assert seen(path)["state"] == "starting"
        assert record.say("ready", reason=SHORT)
        assert seen(path)["state"] == "ready"
    assert record.say("degraded", reason=LONG)
    assert seen(path)["reason"] == LONG
