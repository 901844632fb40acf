"""What keeping and reading costs beside the bare driver that does the same, in SQLite and in PostgreSQL.

Run: `.venv/bin/python -m scripts.bench.storage [--rounds N] [--calls N] [--rows N]`. All in this process, on the event
loop that our server has: the drivers as one would use them there, sqlite3 in a thread for writes and one for reads,
asyncpg with its pool. Every write is a commit that is on disk (PostgreSQL with `fsync`); rows and values have about
1 KB. CPU of this process with all its threads; a PostgreSQL server is another process and does not count. Then the time
of a page of 20 rows out of many and out of few, and of one that has all that an owner has among many, which is ten.
Budgets: 1.5 times the driver; a page at most 10 ms more.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
import uvloop
from pydantic import SecretStr

from runtime.access import User
from runtime.apis._paging import PageRequest
from runtime.ids import new_position, ordered_id
from runtime.storage.kv import KeyValueStore
from runtime.storage.kv.postgres import PostgresKeyValueStore
from runtime.storage.kv.sqlite import SqliteKeyValueStore
from runtime.storage.postgres.config import PostgresSqlConfig
from runtime.storage.postgres.database import Database
from runtime.storage.sql import Column, Insert, Schema, Select, SqlStore, Table, Totals, eq
from runtime.storage.sql.paging import BY_POSITION, paging_indexes, read_page
from runtime.storage.sql.postgres import PostgresBackend
from runtime.storage.sql.sqlite import SqliteBackend
from runtime.storage.sqlite.files import connect, prepare
from scripts.bench import measure
from tests.support.postgres import new_server

_BUDGET, _PAGE_BUDGET_MS = 1.5, 10
_TOGETHER, _FEW = 64, 1000
_BODY = "x" * 1000
_TABLE = Table(
    name="",
    columns=(Column("id", "text"), Column("position", "integer"), Column("model", "text"), Column("body", "text")),
    key=("id",),
    indexes=(BY_POSITION,),
    has_owners=False,
)
_SCHEMA = Schema(name="rows", tables=(_TABLE,))
_LISTED = replace(_TABLE, indexes=paging_indexes(), has_owners=True)
_LIST = Schema(name="list", tables=(_LISTED,))
_OWNER, _OTHER, _OWNED = User(principal="owner"), User(principal="other"), 10
_RAW = """
CREATE TABLE IF NOT EXISTS raw (id TEXT PRIMARY KEY, position BIGINT, model TEXT, body TEXT);
CREATE INDEX IF NOT EXISTS raw_position ON raw (position, id);
CREATE TABLE IF NOT EXISTS raw_kv (key {bytes} PRIMARY KEY, value {bytes})
"""
_INSERT, _ONE = "INSERT INTO raw VALUES ({})", "SELECT * FROM raw WHERE id = {}"
_SET = "INSERT INTO raw_kv VALUES ({}) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
_GET = "SELECT value FROM raw_kv WHERE key = {}"
_COLUMNS = ("id", "position", "model", "body")
_numbers = count()
Call = Callable[[], Awaitable[object]]


@dataclass(frozen=True)
class _Way:
    """One way to keep things. insert, read: of a row; set, get: of a value."""

    insert: Call
    read: Call
    set: Call
    get: Call


def _row() -> tuple[str, int, str, str]:
    position = new_position()
    return ordered_id("row_", position), position, "a-model", _BODY


async def _ours(store: SqlStore, kv: KeyValueStore) -> _Way:
    await store.write(Insert(_TABLE, dict(zip(_COLUMNS, ("wanted", *_row()[1:]), strict=True))))
    await kv.set("wanted", _BODY.encode())
    return _Way(
        insert=lambda: store.write(Insert(_TABLE, dict(zip(_COLUMNS, _row(), strict=True)))),
        read=lambda: store.first(Select(_TABLE, eq("id", "wanted"))),
        set=lambda: kv.set(f"key {next(_numbers)}", _BODY.encode()),
        get=lambda: kv.get("wanted"),
    )


async def _raw_sqlite(path: Path) -> _Way:
    prepare(path, "database")
    writer, reader = (ThreadPoolExecutor(max_workers=1) for _ in range(2))
    writing, reading = connect(path), connect(path)
    writing.executescript(_RAW.format(bytes="BLOB"))
    loop = asyncio.get_running_loop()

    def write(sql: str, values: tuple[Any, ...]) -> Awaitable[object]:
        return loop.run_in_executor(writer, writing.execute, sql.format(", ".join("?" * len(values))), values)

    def read(sql: str, value: object) -> Awaitable[object]:
        return loop.run_in_executor(reader, lambda: reading.execute(sql.format("?"), (value,)).fetchone())

    await write(_INSERT, ("wanted", *_row()[1:]))
    await write(_SET, (b"wanted", _BODY.encode()))
    return _Way(
        insert=lambda: write(_INSERT, _row()),
        read=lambda: read(_ONE, "wanted"),
        set=lambda: write(_SET, (b"key %d" % next(_numbers), _BODY.encode())),
        get=lambda: read(_GET, b"wanted"),
    )


async def _nothing(connection: object) -> None:
    pass


async def _raw_postgres(url: str) -> _Way:
    pool = await asyncpg.create_pool(url, min_size=10, max_size=10, reset=_nothing)  # as cheap as it can be
    await pool.execute(_RAW.format(bytes="BYTEA"))
    insert, set_, one, get = (
        _INSERT.format("$1, $2, $3, $4"),
        _SET.format("$1, $2"),
        _ONE.format("$1"),
        _GET.format("$1"),
    )
    await pool.execute(insert, "wanted", *_row()[1:])
    await pool.execute(set_, b"wanted", _BODY.encode())
    return _Way(
        insert=lambda: pool.execute(insert, *_row()),
        read=lambda: pool.fetchrow(one, "wanted"),
        set=lambda: pool.execute(set_, b"key %d" % next(_numbers), _BODY.encode()),
        get=lambda: pool.fetchval(get, b"wanted"),
    )


async def _cost_us(call: Call, calls: int, together: int) -> float:
    """CPU microseconds of one call."""

    async def caller() -> None:
        for _ in range(calls // together):
            await call()

    began = time.process_time()
    await asyncio.gather(*(caller() for _ in range(together)))
    return (time.process_time() - began) * 1e6 / (calls // together * together)


async def _page_ms(store: SqlStore, rows: int) -> tuple[float, float]:
    """Milliseconds for a page of 20 out of the middle of so many rows, of which the store gets as many as it lacks; and
    for the page of an owner who has the first few of them.
    """
    there = (await store.totals(Totals(_LISTED)))["count"]
    added = [(_OWNER, _OWNED - there)] if there < _OWNED else []
    added += [(_OTHER, min(5000, rows - start)) for start in range(max(there, _OWNED), rows, 5000)]
    for user, number in added:
        new = [dict(zip(_COLUMNS, (*_row()[:3], ""), strict=True)) for _ in range(number)]
        await store.for_user(user).write(*(Insert(_LISTED, row) for row in new))
    ids = [row["id"] for row in await store.select(Select(_LISTED, columns=("id",), order=("position",)))]
    middle = PageRequest(limit=20, after=ids[len(ids) // 2])
    return await _median_ms(store, middle, 20), await _median_ms(store.for_user(_OWNER), PageRequest(limit=20), _OWNED)


async def _median_ms(store: SqlStore, asked: PageRequest, found: int) -> float:
    took = []
    for _ in range(50):
        began = time.perf_counter()
        page, _more = await read_page(store, _LISTED, asked)
        took.append((time.perf_counter() - began) * 1000)
        assert len(page) == found
    return measure.median(took)


def _compared(runner: asyncio.Runner, name: str, ways: Mapping[str, _Way], rounds: int, calls: int) -> list[list[str]]:
    """A line for each kind of call, one after the other and many at once."""
    lines = []
    for what in ("insert", "read", "set", "get"):
        for together in (1, _TOGETHER):
            measure.say(f"{name}, {what}, {together} at once")

            def measured(way: _Way, what: str = what, together: int = together) -> float:
                return runner.run(_cost_us(getattr(way, what), calls, together))

            found = measure.interleaved({kind: partial(measured, way) for kind, way in ways.items()}, rounds=rounds)
            times = measure.ratios(found["ours"], found["driver"])
            costs = [measure.spread(found[kind], 0) for kind in ("driver", "ours")]
            met = "yes" if measure.median(times) <= _BUDGET else "NO"
            lines.append([f"{name}: {what}, {together} at once", *costs, measure.spread(times), met])
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    print(measure.machine())
    with ExitStack() as stack, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(new_server(durable=True)).database()
        database = Database(PostgresSqlConfig(connection_string=SecretStr(url)))
        subjects = {
            "SQLite": (
                _raw_sqlite(folder / "raw.db"),
                SqliteBackend(folder / "ours.db"),
                SqliteKeyValueStore(folder / "kv.db"),
            ),
            "PostgreSQL": (_raw_postgres(url), PostgresBackend(database), PostgresKeyValueStore(database, "kv")),
        }
        lines, pages = [], []
        for name, (raw, backend, kv) in subjects.items():
            store = SqlStore(lambda backend=backend: backend, _SCHEMA, "ours")
            ways = {"driver": runner.run(raw), "ours": runner.run(_ours(store, kv))}
            lines += _compared(runner, name, ways, options.rounds, options.calls)
            store = SqlStore(lambda backend=backend: backend, _LIST, "pages")
            few, few_owned = runner.run(_page_ms(store, _FEW))
            measure.say(f"{name}, {options.rows} rows")
            many, many_owned = runner.run(_page_ms(store, options.rows))
            for whose, before, after in (("all", few, many), (f"an owner's {_OWNED}", few_owned, many_owned)):
                met = "yes" if after - before <= _PAGE_BUDGET_MS else "NO"
                pages.append([f"{name}: {whose}", f"{before:.2f}", f"{after:.2f}", met])
            runner.run(kv.close())
            runner.run(backend.close())
    print(measure.table(("microseconds of CPU a call", "driver", "ours", "times", f"<= {_BUDGET}"), lines), end="\n\n")
    header = ("milliseconds for a page of 20", f"of {_FEW}", f"of {options.rows}", f"<= {_PAGE_BUDGET_MS} more")
    print(measure.table(header, pages))


if __name__ == "__main__":
    main()
