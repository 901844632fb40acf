"""The store in a server with MongoDB's protocol, a collection for each folder."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import SecretStr

from runtime.storage.kv.mongodb import MongoKeyValueStore
from runtime.storage.mongodb.config import MongoKeyValueConfig
from tests.conformance.kv.subject import Clock, Kind, Subject
from tests.support.mongodb_server import mongodb_server


@contextmanager
def started(folder: Path) -> Iterator[Subject]:
    clock = Clock()
    # The server removes by its own clock what has expired; the stand-in compares dates as texts, which have a fraction
    # of a second only where it is not zero.
    clock.now = int(time.time()) + 0.25
    collections: dict[Path, str] = {}
    with mongodb_server(folder) as server:

        def opened(folder: Path) -> MongoKeyValueStore:
            name = collections.setdefault(folder, f"kv_{len(collections)}")
            config = MongoKeyValueConfig(url=SecretStr(server.url), db="tests", collection_name=name)
            return MongoKeyValueStore(config, clock=clock)

        yield Subject(open=opened, pass_time=clock.advance, now=clock, backend_type="kv_mongodb")


KIND = Kind(start=started, abilities=frozenset({"keeps", "single keys"}))
