"""The settings of a backend in Redis, by the names of llama-stack and ogx."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr

from runtime.storage.settings import KeyValueServerConfig


class RedisKeyValueConfig(KeyValueServerConfig):
    """Keys and values in a Redis server, 5.0 or newer, or one that speaks its protocol, such as Valkey; not a cluster.

    What is acknowledged is as durable as the server's own settings make it: `appendonly yes` and `appendfsync always`
    lose nothing, `appendfsync everysec` up to a second of writes if the server or its machine dies, and without
    `appendonly` everything since its last snapshot may be lost. `maxmemory-policy` must be `noeviction`.
    """

    type: Literal["kv_redis"] = "kv_redis"
    called = "Redis"
    parts = ("host", "port", "db", "user", "password", "tls")
    schemes = ("redis", "rediss")
    port: int = Field(6379, ge=1, le=65535, description="Its port.")
    db: int = Field(0, ge=0, description="The number of the database in it.")
    user: str | None = Field(None, min_length=1, description="Its user; by default the server's own `default`.")
    url: SecretStr | None = Field(
        None,
        description="All of that in one: `redis://user:password@host:6379/0`, `rediss://` with encryption. Characters"
        " of their own meaning, such as `@`, are percent-encoded.",
    )
    pool_size: int = Field(16, ge=2, description="The most connections; further calls wait for one of them.")
