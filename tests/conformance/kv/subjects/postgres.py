"""The store in a real PostgreSQL, a table for each folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import SecretStr

from runtime.storage.kv.postgres import PostgresKeyValueStore
from runtime.storage.postgres.config import PostgresKeyValueConfig
from runtime.storage.postgres.database import Database
from tests.conformance.kv.subject import Clock, Kind, Subject
from tests.support.postgres import new_server


@contextmanager
def started(folder: Path) -> Iterator[Subject]:
    clock = Clock()
    tables: dict[Path, str] = {}
    with new_server() as server:
        settings = PostgresKeyValueConfig(connection_string=SecretStr(server.database()))

        def opened(folder: Path) -> PostgresKeyValueStore:
            table = tables.setdefault(folder, f"kv_{len(tables)}")
            return PostgresKeyValueStore(Database(settings, "key-value store"), table, clock=clock)

        yield Subject(open=opened, pass_time=clock.advance, now=clock, backend_type="kv_postgres")


KIND = Kind(start=started)
