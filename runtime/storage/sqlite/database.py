"""One SQLite file as an event loop uses it: changes go to the writer's thread, reads to others.

Each thread has its own connection; several processes may have the file open at once.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from runtime.storage.batch_thread import MAX_WAITING
from runtime.storage.slots import Slots
from runtime.storage.sqlite.files import DatabaseFile, connect, prepare, unavailable
from runtime.storage.sqlite.readers import PendingRead, Readers
from runtime.storage.sqlite.writer import Change, NewRow, Writer

T = TypeVar("T")


class Database:
    """The file at `path`, which is made if it is missing. what: what it is called in messages, such as `database`.

    set_up: called with a connection before anything else, to make its tables. Raises Unavailable if the file cannot be
    opened. After that, each call raises Unavailable while the file cannot be used, and RuntimeError once closed.
    """

    def __init__(
        self, path: Path, what: str, *, set_up: Callable[[sqlite3.Connection], None] = lambda connection: None
    ) -> None:
        prepare(path, what)
        self.path = path
        self.what = what
        self._set_up(set_up)
        file = DatabaseFile(path)
        self._readers = Readers(path, what, file)
        self._writer = Writer(path, what, file)
        self._slots = Slots(MAX_WAITING)
        self._closed = False

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """The result of `work`, which sees everything that was committed before; see `readers.py` for what else is read
        meanwhile.
        """
        self._check_open()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._readers.put(PendingRead(work, future, loop))
        return await future

    async def write(
        self, work: Callable[[sqlite3.Connection], T], *, is_atomic: bool = False, row: NewRow | None = None
    ) -> T:
        """The result of `work`, once what it did is on disk; what it raises undoes it. A caller that is cancelled
        does not take the change back. is_atomic: whether it is a single statement; row: what that inserts, if it is a
        plain insert, whose result is 1.
        """
        self._check_open()

        def put() -> asyncio.Future[T]:
            self._check_open()
            loop = asyncio.get_running_loop()
            future: asyncio.Future[T] = loop.create_future()
            self._writer.put(Change(work, future, loop, self._slots, is_atomic, row))
            return future

        return await self._slots.outcome(put)

    async def close(self) -> None:
        """Returns when everything is on disk and the file is closed. A second call does nothing."""
        if self._closed:
            return
        self._closed = True
        await asyncio.to_thread(self._writer.stop)
        await asyncio.to_thread(self._readers.stop)

    def _set_up(self, set_up: Callable[[sqlite3.Connection], None]) -> None:
        connection = connect(self.path)
        try:
            connection.execute("BEGIN IMMEDIATE")
            set_up(connection)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise unavailable(self.path, self.what, "opened", error) from error
        finally:
            connection.close()

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError(f"the {self.what} is closed")
