"""Writes what waits, and commits it together: the group commit of `runtime.storage.sqlite.writer`, for PostgreSQL.

    a change  ->  queue  ->  a writer: everything that waits in one transaction  ->  all of them return
                             later changes wait for the next one

Every statement is a way to the server and back, so what may go together does: inserts with the same text are one
`executemany`, and what is a single statement is a transaction already. If one change of several fails, all are undone
and done again one by one, so that only the faulty one fails; savepoints would cost each of them two ways more.
"""

from __future__ import annotations

import asyncio
import errno
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runtime.storage.postgres.connections import Connection, Connections
from runtime.storage.postgres.failures import DRIVER_ERRORS, as_ours, is_collision
from runtime.storage.slots import Slots
from runtime.storage.sql.backend import Compiled
from runtime.storage.sql.failures import Stale

_MAX_BATCH = 256  # changes in one transaction, so that the first of many does not wait for the last
MAX_WAITING = 1024
_ATTEMPTS = 5
"""How often a change is tried that collides with another process's."""


@dataclass(frozen=True, slots=True)
class _Change:
    """statements: to be done together. future: for how many rows each changed."""

    statements: Sequence[Compiled]
    future: asyncio.Future[list[int]]


class Writes:
    """The pending changes of one store, in the order in which they came; with several writers they may overtake.

    what: what the store is called once it is closed. writers: how many transactions run at once. max_waiting: changes
    that may be pending before further callers wait.
    """

    def __init__(self, connections: Connections, what: str, *, writers: int, max_waiting: int) -> None:
        self._connections = connections
        self._what = what
        self._closed = False
        self._writers = writers
        self._slots = Slots(max_waiting)
        self._waiting: deque[_Change] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._at_work = (
            0  # not the number of tasks, since one that has nothing left to do is among them a moment longer
        )
        self._is_starting = False

    async def do(self, statements: Sequence[Compiled]) -> list[int]:
        """How many rows each changed, once they are permanent. Raises Duplicate, Stale, RequestError, Unavailable, all
        of which leave everything as it was, and RuntimeError once closed. A caller that is cancelled takes nothing
        back.
        """
        self._check_open()

        def put() -> asyncio.Future[list[int]]:
            self._check_open()
            change = _Change(statements, asyncio.get_running_loop().create_future())
            self._waiting.append(change)
            if not self._is_starting and self._at_work < self._writers:
                self._is_starting = True
                self._at_work += 1
                task = asyncio.get_running_loop().create_task(self._work())
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            return change.future

        return await self._slots.outcome(put)

    async def close(self) -> None:
        """Returns when everything that is pending was committed, or could not be."""
        self._closed = True
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError(f"the {self._what} is closed")

    async def _work(self) -> None:
        self._is_starting = False
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), _MAX_BATCH))]
                outcomes: Sequence[list[int] | BaseException]
                try:
                    async with self._connections.use() as connection:
                        outcomes = await _written(connection, batch)
                except Exception as error:  # all callers must get it, and those after them must be served
                    outcomes = [error] * len(batch)
                self._settle(batch, outcomes)
        finally:
            self._at_work -= 1

    def _settle(self, batch: Sequence[_Change], outcomes: Sequence[list[int] | BaseException]) -> None:
        for change, outcome in zip(batch, outcomes, strict=True):
            if change.future.done():  # cancelled: the caller left before the commit
                self._slots.give_back()
            elif isinstance(outcome, BaseException):
                change.future.set_exception(as_ours(self._connections.place, "written", outcome))
            else:
                change.future.set_result(outcome)


class _Undone(Exception):
    """A change that has done something must not be kept: the whole transaction is undone."""


async def _written(connection: Connection, batch: Sequence[_Change]) -> list[list[int] | BaseException]:
    was_late = False
    try:
        return await _together(connection, batch)
    except (*DRIVER_ERRORS, _Undone) as error:
        if connection.is_closed() or (len(batch) == 1 and not isinstance(error, _Undone) and not is_collision(error)):
            raise
        was_late = isinstance(error, TimeoutError)
    outcomes: list[list[int] | BaseException] = []
    for change in batch:
        outcome = await _alone(connection, change)
        outcomes.append(outcome)
        if was_late and isinstance(outcome, TimeoutError):  # those behind it do not wait for their own turn to be late
            return outcomes + [outcome] * (len(batch) - len(outcomes))
    return outcomes


async def _alone(connection: Connection, change: _Change) -> list[int] | BaseException:
    for attempt in range(_ATTEMPTS):
        if connection.is_closed():
            return ConnectionResetError(errno.ECONNRESET, "")
        try:
            [outcome] = await _together(connection, [change])
            return outcome
        except _Undone as undone:
            return undone.__cause__ or undone
        except DRIVER_ERRORS as error:
            if connection.is_closed() or not is_collision(error) or attempt + 1 == _ATTEMPTS:
                return error
    raise AssertionError("unreachable")


async def _together(connection: Connection, batch: Sequence[_Change]) -> list[list[int] | BaseException]:
    """The results of all changes, which are permanent then. If it raises, none of them is."""
    statements = [statement for change in batch for statement in change.statements]
    if len(statements) == 1 and statements[0].expect is None:
        return [[await _run(connection, statements[0])]]
    by_text: dict[str, list[Sequence[Any]]] = {}
    if all(statement.adds_one for statement in statements):
        for statement in statements:
            by_text.setdefault(statement.sql, []).append(statement.values)
        if len(by_text) == 1:  # one `executemany` is a transaction
            await _run_all(connection, by_text)
            return [[1] * len(change.statements) for change in batch]
    async with connection.transaction():
        if by_text:
            await _run_all(connection, by_text)
            return [[1] * len(change.statements) for change in batch]
        return [await _run_change(connection, change.statements) for change in batch]


async def _run_all(connection: Connection, by_text: dict[str, list[Sequence[Any]]]) -> None:
    for sql, values in by_text.items():
        await connection.executemany(sql, values)


async def _run_change(connection: Connection, statements: Sequence[Compiled]) -> list[int] | BaseException:
    counts: list[int] = []
    for statement in statements:
        changed = await _run(connection, statement)
        if statement.expect is not None and changed != statement.expect:
            stale = Stale(f"{changed} rows were there to change, not {statement.expect}")
            if changed or any(counts):
                raise _Undone from stale
            return stale
        counts.append(changed)
    return counts


async def _run(connection: Connection, statement: Compiled) -> int:
    status: str = await connection.execute(statement.sql, *statement.values)
    return int(status.rpartition(" ")[2])
