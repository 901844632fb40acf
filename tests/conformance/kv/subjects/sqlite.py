"""The store in a SQLite file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.storage.kv.sqlite import SqliteKeyValueStore
from tests.conformance.kv.subject import Clock, Kind, Subject


@contextmanager
def started(folder: Path) -> Iterator[Subject]:
    clock = Clock()
    yield Subject(
        open=lambda folder: SqliteKeyValueStore(folder / "kv.db", clock=clock),
        pass_time=clock.advance,
        now=clock,
        backend_type="kv_sqlite",
    )


KIND = Kind(start=started)
