"""The types of backends: the model of their settings, and the function that opens one. Imports pydantic, no driver.

A `kv_` backend holds keys and values, an `sql_` backend holds tables. A relative `db_path` is relative to the server's
state folder, so that several servers can use the same run config. A new type needs an entry in `BACKENDS`, its settings
in `<driver>/config.py`, and a module that opens it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from runtime.apis._api import Family
from runtime.storage.mongodb.config import MongoKeyValueConfig
from runtime.storage.postgres.config import PostgresKeyValueConfig, PostgresSqlConfig
from runtime.storage.redis.config import RedisKeyValueConfig
from runtime.storage.settings import BackendConfig, KeyValueConfig
from runtime.storage.sqlite.config import SqliteKeyValueConfig, SqliteSqlConfig


class MemoryKeyValueConfig(KeyValueConfig):
    """Keys and values in memory, lost when the process ends; for tests and for servers that need no storage."""

    type: Literal["kv_memory"] = "kv_memory"


@dataclass(frozen=True, kw_only=True)
class Backend:
    """One type of backend.

    config: the model of its settings. opener: `module:function`, called with the config and the server's state folder;
    imported when one is opened. packages: requirements that it adds to a distribution. parallel_writes: whether a store
    can have several writers in it.
    """

    family: Family
    config: type[BackendConfig]
    opener: str
    packages: tuple[str, ...] = ()
    parallel_writes: bool = False

    def load(self) -> Callable[..., Any]:
        """The opener. Raises ImportError if a package is missing."""
        module, _, name = self.opener.partition(":")
        opener: Callable[..., Any] = getattr(importlib.import_module(module), name)
        return opener


_ASYNCPG = "asyncpg>=0.30"

BACKENDS: dict[str, Backend] = {
    "kv_memory": Backend(family="kv", config=MemoryKeyValueConfig, opener="runtime.storage.kv.memory:open_memory"),
    "kv_mongodb": Backend(
        family="kv",
        config=MongoKeyValueConfig,
        opener="runtime.storage.kv.mongodb:open_mongodb",
        packages=("pymongo>=4.13",),
    ),
    "kv_postgres": Backend(
        family="kv",
        config=PostgresKeyValueConfig,
        opener="runtime.storage.kv.postgres:open_postgres",
        packages=(_ASYNCPG,),
    ),
    "kv_redis": Backend(
        family="kv",
        config=RedisKeyValueConfig,
        opener="runtime.storage.kv.redis:open_redis",
        packages=("redis>=6",),
    ),
    "kv_sqlite": Backend(family="kv", config=SqliteKeyValueConfig, opener="runtime.storage.kv.sqlite:open_sqlite"),
    "sql_postgres": Backend(
        family="sql",
        config=PostgresSqlConfig,
        opener="runtime.storage.sql.postgres:open_postgres",
        packages=(_ASYNCPG,),
        parallel_writes=True,
    ),
    "sql_sqlite": Backend(family="sql", config=SqliteSqlConfig, opener="runtime.storage.sql.sqlite:open_sqlite"),
}
"""Every known type."""

if TYPE_CHECKING:
    AnyBackend = BackendConfig
else:
    AnyBackend = Annotated[reduce(or_, [backend.config for backend in BACKENDS.values()]), Field(discriminator="type")]
