"""Ends a server that another process has started, with everything below it. Says what the server still waits for."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

from llama_cli.disk.lock import is_locked
from llama_cli.exits import ExitCode, Failure
from llama_cli.servers import process_group, records
from llama_cli.servers.process import KILL_AFTER_S, SAY_AFTER_S
from llama_cli.servers.records import Record
from llama_cli.terminal import console

_POLL_S = 0.05


def stop(
    record: Record, *, timeout_s: float, is_given_up: Callable[[], bool] = lambda: False
) -> Literal["drained", "killed"]:
    """End the server; returns when it and its children are gone, with how it ended.

    It is asked to drain; after `timeout_s` seconds it is asked to end now, and killed if it does not listen.
    is_given_up: whether nobody waits any more; it is then left to drain. Raises Conflict where its record cannot be
    read, Failure where it never came up, cannot be killed, or is left.
    """
    if record.state == records.UNREADABLE:
        raise records.unreadable(record)
    if record.pid is None:
        record = _when_it_has_a_pid(record, timeout_s, is_given_up)
    assert record.pid is not None
    members = process_group.members(record.pid)
    _ask_to_end(record)
    how: Literal["drained", "killed"] = "drained" if _ends_within(record, timeout_s, is_given_up) else "killed"
    if how == "killed":
        members |= process_group.members(record.pid)
        _ask_to_end(record)
        _ends_within(record, KILL_AFTER_S, is_given_up, quietly=True)
    process_group.kill(record.pid, members)
    deadline = time.monotonic() + KILL_AFTER_S
    while is_locked(record.path) or any(map(process_group.lives, members)):
        if time.monotonic() > deadline:
            raise Failure(
                f"`{record.id}` (pid {record.pid}) does not end, even when killed",
                hint="look at what it waits for with `ps`",
            )
        time.sleep(_POLL_S)
    ended = records.read(record.path)
    if ended is not None and ended.state not in records.ENDED:
        records.rewrite(ended, state="stopped", reason=f"{how} by `llama stack stop`")
    return how


def _ask_to_end(record: Record) -> None:
    """Only while it holds its lock: then the pid that it wrote is its own."""
    if record.pid is not None and is_locked(record.path):
        with suppress(ProcessLookupError):
            os.kill(record.pid, signal.SIGTERM)


def _ends_within(record: Record, seconds: float, is_given_up: Callable[[], bool], *, quietly: bool = False) -> bool:
    """Wait until it has ended, and say what it waits for. An idle server is gone before there is anything to say."""
    said: str | None = None
    began = time.monotonic()
    while is_locked(record.path):
        waited = time.monotonic() - began
        if waited >= seconds:
            return False
        _end_where(is_given_up, f"`{record.id}` is still ending")
        now = records.read(record.path) if waited > SAY_AFTER_S and not quietly else None
        if now is not None and now.state == "draining" and now.reason not in (None, said):
            said = now.reason
            console.say(f"waiting: {said}")
        time.sleep(_POLL_S)
    return True


def _end_where(is_given_up: Callable[[], bool], message: str) -> None:
    if is_given_up():
        raise Failure(message, code=ExitCode.INTERRUPTED)


def _when_it_has_a_pid(record: Record, timeout_s: float, is_given_up: Callable[[], bool]) -> Record:
    deadline = time.monotonic() + max(timeout_s, records.UNLOCKED_GRACE_S)
    while time.monotonic() < deadline:
        now = records.read(record.path)
        if now is not None and now.pid is not None:
            return now
        if now is None or not now.alive:
            break
        _end_where(is_given_up, f"`{record.id}` is still starting")
        time.sleep(_POLL_S)
    raise Failure(f"`{record.id}` never came up", hint=f"see `llama stack logs {record.id}`", code=ExitCode.UNHEALTHY)
