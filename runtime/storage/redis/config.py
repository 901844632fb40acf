"""The settings of a backend in Redis, by the names of llama-stack and ogx."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from runtime.storage.settings import KeyValueConfig, check_address, host_of

_PARTS = ("host", "port", "db", "user", "password", "tls")


class RedisKeyValueConfig(KeyValueConfig):
    """Keys and values in a Redis server, 5.0 or newer, or one that speaks its protocol, such as Valkey; not a cluster.

    What is acknowledged is as durable as the server's own settings make it: `appendonly yes` and `appendfsync always`
    lose nothing, `appendfsync everysec` up to a second of writes if the server or its machine dies, and without
    `appendonly` everything since its last snapshot may be lost. `maxmemory-policy` must be `noeviction`.
    """

    type: Literal["kv_redis"] = "kv_redis"
    host: str = Field("localhost", min_length=1, description="The server.")
    port: int = Field(6379, ge=1, le=65535, description="Its port.")
    db: int = Field(0, ge=0, description="The number of the database in it.")
    user: str | None = Field(None, min_length=1, description="Its user; by default the server's own `default`.")
    password: SecretStr | None = Field(None, description="The user's password.")
    tls: bool = Field(False, description="Whether the connection is encrypted, and the server's certificate checked.")
    url: SecretStr | None = Field(
        None,
        description="All of that in one: `redis://user:password@host:6379/0`, `rediss://` with encryption. Characters"
        " of their own meaning, such as `@`, are percent-encoded.",
    )
    ca_cert_path: str | None = Field(
        None, min_length=1, description="A file with the certificates of authorities to check the server's with."
    )
    pool_size: int = Field(16, ge=2, description="The most connections; further calls wait for one of them.")

    @model_validator(mode="after")
    def _is_one_place(self) -> Self:
        check_address(self, "url", parts=_PARTS, schemes=("redis", "rediss"))
        return self

    def place(self) -> str:
        """The server, for messages: without user and password."""
        where = f"{self.host}:{self.port}" if self.url is None else host_of(self.url)
        return f"the Redis server at {where}"
