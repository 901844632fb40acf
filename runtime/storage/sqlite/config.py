"""The settings of backends in SQLite files, `kv_sqlite` and `sql_sqlite`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from runtime.storage.settings import BackendConfig, KeyValueConfig


class SqliteKeyValueConfig(KeyValueConfig):
    """Keys and values in one SQLite file."""

    type: Literal["kv_sqlite"] = "kv_sqlite"
    db_path: str = Field("kvstore.db", description="The file; relative to the server's state folder.", min_length=1)


class SqliteSqlConfig(BackendConfig):
    """Tables in one SQLite file."""

    type: Literal["sql_sqlite"] = "sql_sqlite"
    db_path: str = Field("sql_store.db", description="The file; relative to the server's state folder.", min_length=1)
