"""The thread that writes to a SQLite file, and commits what waits together.

    a change  ->  queue  ->  writer: BEGIN, all waiting changes, COMMIT (fsync)  ->  all of them return
                             later changes wait for the next transaction

A commit needs an fsync, and one fsync serves all changes that arrived during the last one: without a timer, and without
a delay for a single change.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.storage.sqlite.files import connect, unavailable

_MAX_BATCH = 256  # changes in one transaction, so that the first of many does not wait for the last
Work = Callable[[sqlite3.Connection], Any]


@dataclass(frozen=True, slots=True)
class Change:
    """A pending change. work: does it within the writer's transaction; if it raises, only this change is undone.

    is_atomic: whether the work undoes itself by raising, as a single statement does. future: for its result.
    """

    work: Work
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    is_atomic: bool = False


class Writer:
    """The only thread of this process that changes the file at `path`. what: what the file is called in messages."""

    def __init__(self, path: Path, what: str) -> None:
        self._path = path
        self._what = what
        self._waiting: deque[Change] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=f"write {path.name}", daemon=True)
        self._thread.start()

    def put(self, change: Change) -> None:
        """Queue a change; its future gets the result, or Unavailable, when it is on disk."""
        with self._changed:
            self._waiting.append(change)
            self._changed.notify()

    def stop(self) -> None:
        """Returns when everything that waits has been committed."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        try:
            while batch := self._next_batch():
                try:
                    connection = connection or connect(self._path)
                    outcomes = _commit_together(connection, batch)
                except Exception as error:  # all callers must get it, and the thread must continue
                    outcomes = [error] * len(batch)
                _return_outcomes(batch, [self._as_ours(outcome) for outcome in outcomes])
        finally:
            if connection is not None:
                connection.close()

    def _as_ours(self, outcome: Any) -> Any:
        if not isinstance(outcome, sqlite3.Error):
            return outcome
        failure = unavailable(self._path, self._what, "written", outcome)
        failure.__cause__ = outcome
        return failure

    def _next_batch(self) -> list[Change]:
        """Waits for changes, and returns them up to a maximum; empty when the thread should stop."""
        with self._changed:
            while not self._waiting and not self._stopping:
                self._changed.wait()
            return [self._waiting.popleft() for _ in range(min(len(self._waiting), _MAX_BATCH))]


def _commit_together(connection: sqlite3.Connection, batch: Sequence[Change]) -> list[Any]:
    """Each change's result, or its own exception. Raises if nothing of the batch was stored."""
    outcomes: list[Any] = []
    connection.execute("BEGIN IMMEDIATE")
    try:
        for change in batch:
            if not change.is_atomic:
                connection.execute("SAVEPOINT change")
            try:
                outcomes.append(change.work(connection))
            except Exception as error:
                if not connection.in_transaction:  # for example, a full disk ends the whole transaction
                    raise
                if not change.is_atomic:
                    connection.execute("ROLLBACK TO change")
                outcomes.append(error)
            if not change.is_atomic:
                connection.execute("RELEASE change")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return outcomes


def _return_outcomes(batch: Sequence[Change], outcomes: Sequence[Any]) -> None:
    """Return the outcomes to the callers, waking each event loop once."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]] = {}
    for change, outcome in zip(batch, outcomes, strict=True):
        by_loop.setdefault(change.loop, []).append((change.future, outcome))
    for loop, answers in by_loop.items():
        try:
            loop.call_soon_threadsafe(_settle, answers)
        except RuntimeError:
            # The loop is closed: nothing waits any more, and the changes are stored.
            continue


def _settle(answers: Sequence[tuple[asyncio.Future[Any], Any]]) -> None:
    for future, outcome in answers:
        if future.done():  # cancelled: the caller left before the commit
            continue
        if isinstance(outcome, BaseException):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
