"""What the SQLite store promises beyond the conformance suite: it is on disk, and it is shared."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from runtime.errors import Unavailable
from runtime.storage.backends import MemoryKeyValueConfig
from runtime.storage.kv import Put, open_kv
from runtime.storage.kv.memory import MemoryKeyValueStore
from runtime.storage.kv.sqlite import SqliteKeyValueStore
from runtime.storage.sqlite.config import SqliteKeyValueConfig


async def test_values_are_there_after_reopening(tmp_path: Path) -> None:
    first = SqliteKeyValueStore(tmp_path / "deep" / "kv.db")
    await first.set("key", b"1")
    await first.close()
    second = SqliteKeyValueStore(tmp_path / "deep" / "kv.db")
    assert await second.get("key") == b"1"
    await second.close()


async def test_closing_leaves_one_file_for_its_owner_alone(tmp_path: Path) -> None:
    store = SqliteKeyValueStore(tmp_path / "kv.db")
    await store.set("key", b"1")
    assert await store.get("key") == b"1"
    await store.close()
    assert [(file.name, oct(file.stat().st_mode & 0o777)) for file in tmp_path.iterdir()] == [("kv.db", "0o600")]


async def test_a_commit_is_synced_and_the_log_is_written_ahead(tmp_path: Path) -> None:
    store = SqliteKeyValueStore(tmp_path / "kv.db")

    def settings(connection: sqlite3.Connection) -> list[object]:
        return [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]

    assert await store._file.write(settings) == ["wal", 2]
    await store.close()


async def test_writes_that_come_while_one_runs_share_the_next_transaction(tmp_path: Path) -> None:
    store = SqliteKeyValueStore(tmp_path / "kv.db")
    started, may_end = threading.Event(), threading.Event()
    statements: list[str] = []

    def hold(connection: sqlite3.Connection) -> None:
        connection.set_trace_callback(statements.append)
        started.set()
        assert may_end.wait(30)

    first = asyncio.ensure_future(store._file.write(hold))
    assert await asyncio.to_thread(started.wait, 30)
    others = [asyncio.ensure_future(store.set(f"k{number}", b"")) for number in range(100)]
    await asyncio.wait(others, timeout=0)  # all of them have asked
    may_end.set()
    await asyncio.gather(first, *others)
    await store.close()
    assert [word for word in statements if word in ("BEGIN IMMEDIATE", "COMMIT")] == [
        "COMMIT",
        "BEGIN IMMEDIATE",
        "COMMIT",
    ]


async def test_callers_wait_for_a_place_where_too_many_writes_are_under_way(tmp_path: Path) -> None:
    store = SqliteKeyValueStore(tmp_path / "kv.db")
    started, may_end = threading.Event(), threading.Event()

    def hold(_: sqlite3.Connection) -> bool:
        started.set()
        return may_end.wait(30)

    held = asyncio.ensure_future(store._file.write(hold))
    assert await asyncio.to_thread(started.wait, 30)
    leaving = [asyncio.ensure_future(store.set(f"left{number:05}", b"")) for number in range(1000)]
    await asyncio.wait(leaving, timeout=0)
    for each in leaving:
        each.cancel()
    await asyncio.wait(leaving)
    flood = [asyncio.ensure_future(store.set(f"k{number:05}", b"")) for number in range(3000)]
    await asyncio.wait(flood, timeout=0)
    waiting = len(store._file._writer._waiting)
    may_end.set()
    assert await held
    await asyncio.gather(*flood)
    assert waiting == 1023  # with the one that is held, 1024: who has left still has a place
    assert len(await store.scan("")) == 4000
    await store.close()


async def test_a_write_that_fails_fails_alone(tmp_path: Path) -> None:
    store = SqliteKeyValueStore(tmp_path / "kv.db")

    def fail(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO kv (key, value) VALUES ('half', x'00')")
        connection.execute("INSERT INTO kv (key, value) VALUES ('half', x'00')")

    results = await asyncio.gather(
        store.set("a", b"1"), store._file.write(fail), store.set("b", b"1"), return_exceptions=True
    )
    assert (results[0], results[2]) == (None, None)
    assert isinstance(results[1], Unavailable)
    assert results[1].message == (
        f"the key-value store `{tmp_path}/kv.db` could not be written: UNIQUE constraint failed: kv.key"
    )
    assert [key for key, _ in await store.scan("")] == ["a", "b"]
    await store.close()


async def test_a_disk_that_is_full_is_told_to_everybody_and_the_store_goes_on(tmp_path: Path) -> None:
    store = SqliteKeyValueStore(tmp_path / "kv.db")

    def allow(connection: sqlite3.Connection, pages: int) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    await store._file.write(lambda connection: allow(connection, 10))
    big = b"x" * 200_000
    results = await asyncio.gather(*(store.set(f"k{n}", big) for n in range(3)), return_exceptions=True)
    assert {str(result) for result in results} == {
        f"the key-value store `{tmp_path}/kv.db` could not be written: database or disk is full"
    }
    await store._file.write(lambda connection: allow(connection, 100_000))
    await store.set("k", big)
    assert [key for key, _ in await store.scan("")] == ["k"]
    await store.close()


@pytest.mark.parametrize("is_replaced", [False, True])
async def test_without_its_file_nothing_is_acknowledged_until_it_is_back(tmp_path: Path, is_replaced: bool) -> None:
    path = tmp_path / "kv.db"
    store = SqliteKeyValueStore(path)
    await store.set("a", b"1")
    path.rename(tmp_path / "away.db")
    if is_replaced:
        path.write_bytes(b"")
    checked = store.write(Put("a", b"2"), expected={"a": b"1"})
    for call in (store.set("b", b"1"), store.get("a"), store.delete("a"), checked):
        with pytest.raises(Unavailable, match="somebody has removed or replaced it"):
            await call
    (tmp_path / "away.db").replace(path)
    await store.set("b", b"1")
    assert [key for key, _ in await store.scan("")] == ["a", "b"]
    await store.close()


async def test_a_caller_who_leaves_does_not_disturb_the_others(tmp_path: Path) -> None:
    store = SqliteKeyValueStore(tmp_path / "kv.db")
    leaving = asyncio.ensure_future(store.set("left", b"1"))
    staying = asyncio.ensure_future(store.set("stayed", b"1"))
    await asyncio.wait([staying], timeout=0)
    leaving.cancel()
    await staying
    assert leaving.cancelled()
    assert await store.get("stayed") == b"1"
    await store.close()


async def test_what_is_over_is_taken_away(tmp_path: Path) -> None:
    now = [100.0]
    store = SqliteKeyValueStore(tmp_path / "kv.db", clock=lambda: now[0])
    await store.set("old", b"1", ttl_s=1)
    now[0] = 200
    await store.set("new", b"1", ttl_s=1)

    def count(connection: sqlite3.Connection) -> int:
        return int(connection.execute("SELECT count(*) FROM kv").fetchone()[0])

    assert await store._file.read(count) == 1
    await store.close()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kv.db").write_text("not a database, but long enough to be looked at" * 100)
    with pytest.raises(Unavailable) as raised:
        SqliteKeyValueStore(tmp_path / "kv.db")
    assert raised.value.message == f"the key-value store `{tmp_path}/kv.db` could not be opened: file is not a database"


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable) as raised:
        SqliteKeyValueStore(tmp_path / "file" / "kv.db")
    assert raised.value.message.startswith(f"the key-value store `{tmp_path}/file/kv.db` could not be opened: ")
    assert raised.value.hint == "check the disk and the permissions of its folder, or choose another `db_path`"


async def test_a_file_that_another_process_keeps_locked_names_what_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.storage.sqlite.files.BUSY_S", 0.0)
    store = SqliteKeyValueStore(tmp_path / "kv.db")
    other = sqlite3.connect(tmp_path / "kv.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="another process has kept it locked") as raised:
        await store.set("a", b"1")
    assert raised.value.hint is not None and raised.value.hint.startswith("end what holds it")
    other.execute("ROLLBACK")
    other.close()
    await store.set("a", b"1")
    await store.close()


def test_a_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "kv.db") as connection:
        connection.execute("PRAGMA user_version = 7")
    connection.close()
    with pytest.raises(Unavailable) as raised:
        SqliteKeyValueStore(tmp_path / "kv.db")
    assert raised.value.message == (
        f"the key-value store `{tmp_path}/kv.db` was written by a newer version: its schema is 7,"
        " the newest known here 1"
    )


async def test_open_kv_puts_a_relative_path_into_the_state_folder(tmp_path: Path) -> None:
    store = open_kv(SqliteKeyValueConfig(db_path="./kvstore.db"), tmp_path / "state")
    await store.set("key", b"1")
    await store.close()
    assert [file.name for file in (tmp_path / "state").iterdir()] == ["kvstore.db"]


async def test_open_kv_opens_memory_and_keeps_a_backends_namespace_apart(tmp_path: Path) -> None:
    assert isinstance(open_kv(MemoryKeyValueConfig(), tmp_path), MemoryKeyValueStore)
    path = tmp_path / "kv.db"
    part = open_kv(SqliteKeyValueConfig(db_path=str(path), namespace="mine"), Path("nowhere"))
    await part.set("key", b"1")
    await part.close()
    whole = SqliteKeyValueStore(path)
    assert await whole.scan("") == [("mine\x1fkey", b"1")]
    await whole.close()
