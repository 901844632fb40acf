"""A part of another store, which must look like a store of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.storage.kv import Namespaced
from runtime.storage.kv.memory import MemoryKeyValueStore
from tests.conformance.kv.subject import Clock, Kind, Subject


@contextmanager
def started(folder: Path) -> Iterator[Subject]:
    clock = Clock()
    yield Subject(
        open=lambda folder: Namespaced(MemoryKeyValueStore(clock=clock), "a:b", owner=True),
        pass_time=clock.advance,
        now=clock,
    )


KIND = Kind(start=started, abilities=frozenset({"batches", "ends"}))
