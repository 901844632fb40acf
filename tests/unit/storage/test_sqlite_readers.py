"""Reads of one SQLite file beside each other: a real file, and reads that take as long as the test wants."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from runtime.errors import Unavailable
from runtime.storage.sqlite import readers
from runtime.storage.sqlite.database import Database

_MOST_S = 20


def one(connection: sqlite3.Connection) -> int:
    (found,) = connection.execute("SELECT 1").fetchone()
    return int(found)


class Held:
    """Reads that take until `let_go`."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self._may_end = threading.Event()

    def __call__(self, connection: sqlite3.Connection) -> bool:
        self.begun.release()
        return self._may_end.wait(_MOST_S)

    def let_go(self) -> None:
        self._may_end.set()


@pytest_asyncio.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = Database(
        tmp_path / "data.db", "database", set_up=lambda connection: connection.execute("CREATE TABLE t (n)")
    )
    yield opened
    await opened.close()


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "read data.db"]


async def begun(held: Held) -> None:
    assert await asyncio.to_thread(held.begun.acquire, timeout=_MOST_S)


async def test_reads_that_are_soon_done_have_one_thread(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "_PATIENCE_S", _MOST_S)  # a busy machine may hold up any thread
    assert await asyncio.gather(*(database.read(one) for _ in range(500))) == [1] * 500
    for _ in range(50):
        await database.read(one)
    assert len(threads()) == 1


async def test_a_read_that_takes_long_holds_up_none_that_does_not(database: Database) -> None:
    held = Held()
    before, long, after = database.read(one), asyncio.create_task(database.read(held)), database.read(one)
    assert await asyncio.gather(before, after) == [1, 1]
    assert await asyncio.gather(*(database.read(one) for _ in range(100))) == [1] * 100
    assert not long.done()
    held.let_go()
    assert await long is True


async def test_an_outcome_does_not_wait_for_what_its_reader_does_next(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Held(), Held()
    asked = asyncio.create_task(database.read(first))
    await begun(first)
    monkeypatch.setattr(readers, "_PATIENCE_S", 0)
    monkeypatch.setattr(readers.Readers, "_call_one", lambda self: True)  # who is called is slower than the first
    next_one = asyncio.create_task(database.read(second))
    await asyncio.sleep(0)
    first.let_go()
    await begun(second)
    assert await asyncio.wait_for(asked, _MOST_S)
    assert not next_one.done()
    second.let_go()
    await next_one


async def test_nor_where_its_reader_has_begun_that_before_anybody_looks(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Held(), Held()
    asked = asyncio.create_task(database.read(first))
    await begun(first)
    look = readers.Readers._look_after

    def look_late(self: readers.Readers, loop: asyncio.AbstractEventLoop) -> None:
        first.let_go()
        assert second.begun.acquire(timeout=_MOST_S)
        monkeypatch.undo()
        look(self, loop)

    monkeypatch.setattr(readers.Readers, "_look_after", look_late)
    next_one = asyncio.create_task(database.read(second))
    assert await asyncio.wait_for(asked, _MOST_S)
    assert not next_one.done()
    second.let_go()
    await next_one


async def test_there_are_only_so_many_readers(database: Database) -> None:
    held = Held()
    long = [asyncio.create_task(database.read(held)) for _ in range(readers.MOST)]
    for _ in long:
        await begun(held)
    waiting = asyncio.create_task(database.read(one))
    await database.write(lambda connection: connection.execute("INSERT INTO t VALUES (1)"))
    assert not waiting.done() and len(threads()) == readers.MOST
    held.let_go()
    assert await waiting == 1
    assert await asyncio.gather(*long) == [True] * readers.MOST


async def test_readers_that_are_not_needed_any_more_end(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "_SPARE_S", 0.01)
    held = Held()
    first, second = (asyncio.create_task(database.read(held)) for _ in range(2))
    await begun(held)
    await begun(held)
    [_, spare] = threads()
    held.let_go()
    await asyncio.gather(first, second)
    await asyncio.to_thread(spare.join, _MOST_S)
    assert len(threads()) == 1
    assert await database.read(one) == 1


async def test_every_reader_sees_what_was_written(database: Database) -> None:
    held = Held()
    long = asyncio.create_task(database.read(held))
    await begun(held)

    def count(connection: sqlite3.Connection) -> int:
        return int(connection.execute("SELECT COUNT(*) FROM t").fetchone()[0])

    for written in range(1, 30):
        await database.write(lambda connection: connection.execute("INSERT INTO t VALUES (1)"))
        assert await database.read(count) == written
    held.let_go()
    await long
    assert await asyncio.gather(*(database.read(count) for _ in range(50))) == [29] * 50


async def test_who_leaves_takes_nothing_from_the_others(database: Database) -> None:
    held = Held()
    long = asyncio.create_task(database.read(held))
    await begun(held)
    left, stayed = (asyncio.create_task(database.read(one)) for _ in range(2))
    await asyncio.sleep(0)
    left.cancel()
    long.cancel()
    assert await stayed == 1
    held.let_go()
    assert await database.read(one) == 1


async def test_what_fails_is_told_to_whoever_asked(database: Database) -> None:
    def wrong(connection: sqlite3.Connection) -> None:
        connection.execute("SELECT nothing FROM nowhere")

    def bug(connection: sqlite3.Connection) -> None:
        raise KeyError("bug")

    outcomes = await asyncio.gather(
        database.read(wrong), database.read(bug), database.read(one), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [Unavailable, KeyError, int]


async def test_what_was_asked_is_answered_before_the_file_is_closed(database: Database) -> None:
    held = Held()
    asked = [asyncio.create_task(database.read(work)) for work in (held, one, held, one)]
    await begun(held)
    closing = asyncio.create_task(database.close())
    held.let_go()
    assert await asyncio.gather(*asked) == [True, 1, True, 1]
    await closing
    assert threads() == []
    with pytest.raises(RuntimeError, match="is closed"):
        await database.read(one)
