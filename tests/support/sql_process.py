"""A process of its own that uses a store of tables, and says line by line what it was told is kept.

    python -m tests.support.sql_process write TARGET NAME WRITERS [COUNT]   a line for each row; for ever without COUNT
    python -m tests.support.sql_process migrate TARGET                      `opening`, `paused` half way, `opened`

TARGET: a SQLite file, or the URL of a PostgreSQL database. A migration pauses until a line comes on stdin; in
PostgreSQL, where it does not say so, until nobody holds the advisory lock PAUSE.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import sys
from pathlib import Path

from pydantic import SecretStr

from runtime.storage.postgres.config import PostgresSqlConfig
from runtime.storage.postgres.database import Database
from runtime.storage.sql import AddColumn, Column, Insert, Run, Schema, SqlStore, Table, Update, eq
from runtime.storage.sql.backend import SqlBackend
from runtime.storage.sql.postgres import PostgresBackend
from runtime.storage.sql.sqlite import SqliteBackend
from runtime.storage.sqlite import files, writer

PAUSE = 42
ROWS = Table(name="", columns=(Column("id", "text"), Column("body", "text")), key=("id",))
COUNTS = Table(name="counts", columns=(Column("name", "text"), Column("n", "integer")), key=("name",), has_owners=False)
OLD = Schema(name="rows", tables=(ROWS, COUNTS))
NEW = Schema(
    name="rows",
    tables=(ROWS, COUNTS),
    migrations=((AddColumn("", Column("late", "text", nullable=True)), Run("SELECT pause()")),),
)


def backend_of(target: str) -> SqlBackend:
    if target.startswith("postgresql://"):
        return PostgresBackend(Database(PostgresSqlConfig(connection_string=SecretStr(target))))
    return SqliteBackend(Path(target))


def store_of(target: str, schema: Schema = OLD) -> SqlStore:
    return SqlStore(lambda: backend_of(target), schema, "rows")


async def write(target: str, name: str, writers: str, count: str = "") -> None:
    """Each row is added together with a change of a row that all writers of the process share."""
    store = store_of(target)
    await store.write(Insert(COUNTS, {"name": name, "n": 0}, replace=()))

    async def one(number: int) -> None:
        done = 0
        while not count or done < int(count):
            row = f"{name}/{number}/{done}"
            add = Insert(ROWS, {"id": row, "body": "x" * 200})
            await store.write(add, Update(COUNTS, {"n": done}, eq("name", name), expect=1))
            print(row, flush=True)
            done += 1

    await asyncio.gather(*map(one, range(int(writers))))
    await (await store.open()).close()


async def migrate(target: str) -> None:
    logging.basicConfig(stream=sys.stdout, format="%(message)s")
    print("opening", flush=True)
    backend = await store_of(target, NEW).open()
    print("opened", flush=True)
    await backend.close()


def _connect(path: Path) -> sqlite3.Connection:
    connection = files.connect(path)
    connection.create_function("pause", 0, _pause)
    return connection


def _pause() -> int:
    print("paused", flush=True)
    sys.stdin.readline()
    return 1


if __name__ == "__main__":
    writer.connect = _connect
    verb, *arguments = sys.argv[1:]
    asyncio.run({"write": write, "migrate": migrate}[verb](*arguments))
