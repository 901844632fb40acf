"""The thread that writes to a SQLite file, and commits what waits together.

    a change  ->  queue  ->  writer: BEGIN, all waiting changes, COMMIT (fsync)  ->  all of them return
                             later changes wait for the next transaction

A commit needs an fsync, and one fsync serves all changes that arrived during the last one.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.storage.batch_thread import BatchThread
from runtime.storage.slots import Slots
from runtime.storage.sqlite.files import DatabaseFile, connect, unavailable

Work = Callable[[sqlite3.Connection], Any]


@dataclass(frozen=True, slots=True)
class NewRow:
    """A plain insert: `sql` ends with the place of each of `values`, in brackets."""

    sql: str
    values: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Change:
    """A pending change. work: does it within the writer's transaction; if it raises, only this change is undone.

    is_atomic: whether the work undoes itself by raising, as a single statement does. row: if all that it does is to
    insert one row, that row. future: for its result; slots: see Pending.
    """

    work: Work
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    slots: Slots
    is_atomic: bool = False
    row: NewRow | None = None


class Writer(BatchThread[Change]):
    """The only thread of this process that changes the file at `path`. what: what the file is called in messages.
    file: as it has to be.

    A change's future gets its result, or Unavailable, when it is on disk.
    """

    def __init__(self, path: Path, what: str, file: DatabaseFile) -> None:
        super().__init__(f"write {path.name}")
        self._path = path
        self._what = what
        self._file = file
        self._connection: sqlite3.Connection | None = None
        self.start()

    def _do(self, batch: Sequence[Change]) -> Sequence[Any]:
        try:
            self._file.check()
            self._connection = self._connection or connect(self._path)
            outcomes = _commit_at_once(self._connection, batch) or _commit_together(self._connection, batch)
        except (sqlite3.Error, OSError) as error:
            raise self._as_ours(error) from error
        return [self._as_ours(outcome) for outcome in outcomes]

    def _finish(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _as_ours(self, outcome: Any) -> Any:
        if not isinstance(outcome, sqlite3.Error | OSError):
            return outcome
        failure = unavailable(self._path, self._what, "written", outcome)
        failure.__cause__ = outcome
        return failure


def _commit_at_once(connection: sqlite3.Connection, batch: Sequence[Change]) -> list[Any] | None:
    """The results of a batch that one statement can do, which needs no transaction around it: rows of one table, or a
    single change. None if it cannot, or if one of the rows is wrong, and nothing was stored then.

    Each call of SQLite lets the event loop's thread go on and waits for its turn afterwards, so fewer calls cost both
    of them less.
    """
    first = batch[0]
    if len(batch) == 1:
        return [first.work(connection)] if first.is_atomic else None
    rows = [change.row for change in batch if change.row is not None]
    if len(rows) < len(batch) or any(row.sql != rows[0].sql for row in rows):
        return None
    places = rows[0].sql[rows[0].sql.rindex("(") :]
    values = [value for row in rows for value in row.values]
    try:
        connection.execute(rows[0].sql + f", {places}" * (len(rows) - 1), values)
    except sqlite3.OperationalError:  # such as a full disk, which all of them meet
        raise
    except Exception:  # one row is wrong; each is tried for itself
        return None
    return [1] * len(rows)


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
