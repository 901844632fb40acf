"""The store in a real Redis server, emptied for each folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.storage.kv.redis import RedisKeyValueStore
from runtime.storage.redis.config import RedisKeyValueConfig
from runtime.storage.redis.scripts import VALUES
from tests.conformance.kv.subject import Kind, Subject
from tests.support.redis_server import redis_server


@contextmanager
def started(folder: Path) -> Iterator[Subject]:
    emptied: list[Path] = []
    with redis_server(folder) as server, server.client() as client:

        def opened(folder: Path) -> RedisKeyValueStore:
            if folder not in emptied[-1:]:
                client.flushall()
                emptied.append(folder)
            return RedisKeyValueStore(RedisKeyValueConfig(host="127.0.0.1", port=server.port))

        async def pass_time(seconds: float) -> None:
            """Its clock cannot be set, so each value's time is shortened."""
            for name in client.keys(VALUES + b"*"):
                if (left_ms := client.pttl(name)) > 0:
                    client.pexpire(name, max(0, left_ms - int(seconds * 1000)))

        yield Subject(open=opened, pass_time=pass_time, backend_type="kv_redis")


KIND = Kind(start=started)
