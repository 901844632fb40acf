"""The store in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.storage.kv.memory import MemoryKeyValueStore
from tests.conformance.kv.subject import Clock, Kind, Subject


@contextmanager
def started(folder: Path) -> Iterator[Subject]:
    clock = Clock()
    yield Subject(
        open=lambda folder: MemoryKeyValueStore(clock=clock),
        pass_time=clock.advance,
        now=clock,
        backend_type="kv_memory",
    )


KIND = Kind(start=started, abilities=frozenset({"batches", "ends"}))
