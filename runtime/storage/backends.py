"""Where state is kept: backends by name, and which store uses which backend. Pydantic only, no driver.

A backend's `type` begins with its family: `kv_` backends hold keys and values, `sql_` backends tables. A `db_path`
that is relative stands in the server's state folder, so that the same file serves any number of servers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Family = Literal["kv", "sql"]

UNAVAILABLE_BACKENDS = ("kv_mongodb", "kv_postgres", "kv_redis", "sql_postgres")
"""Types that other versions know and this one does not have."""


class Section(BaseModel):
    """A part of a run config: no keys beyond its own, and a key that is null is as good as left out.

    It stands here, below `runtime.config`, so that the sections there and those of storage are of one kind.
    """

    model_config = ConfigDict(extra="forbid", defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: Any) -> Any:
        return {key: value for key, value in data.items() if value is not None} if isinstance(data, dict) else data


class StorageSection(Section):
    """A part of the file's `storage`."""

    packages: ClassVar[tuple[str, ...]] = ()
    """Requirements that this choice adds to a distribution."""


class SqliteKeyValueConfig(StorageSection):
    """Keys and values in one SQLite file."""

    type: Literal["kv_sqlite"] = "kv_sqlite"
    db_path: str = Field("kvstore.db", description="The file; relative to the server's state folder.", min_length=1)
    namespace: str | None = Field(None, description="Put before every key of this backend.")


class MemoryKeyValueConfig(StorageSection):
    """Keys and values that end with the process; for tests and for servers that may forget."""

    type: Literal["kv_memory"] = "kv_memory"
    namespace: str | None = Field(None, description="Put before every key of this backend.")


class SqliteSqlConfig(StorageSection):
    """Tables in one SQLite file."""

    type: Literal["sql_sqlite"] = "sql_sqlite"
    db_path: str = Field("sql_store.db", description="The file; relative to the server's state folder.", min_length=1)


KeyValueConfig = SqliteKeyValueConfig | MemoryKeyValueConfig
Backend = Annotated[SqliteKeyValueConfig | MemoryKeyValueConfig | SqliteSqlConfig, Field(discriminator="type")]
BACKEND_TYPES = ("kv_memory", "kv_sqlite", "sql_sqlite")


class KeyValueReference(StorageSection):
    """A store of keys and values: a part of a backend, by namespace."""

    backend: str
    namespace: str = ""


class SqlReference(StorageSection):
    """A store of rows: a table of a backend."""

    backend: str
    table_name: str


class QueuedSqlReference(SqlReference):
    """A table that is written behind the answer."""

    enabled: bool = True
    max_write_queue_size: int = Field(10000, ge=1, description="Rows that may wait to be written.")
    num_writers: int = Field(4, ge=1, description="Writers at work at once.")


class AnyReference(StorageSection):
    """A store whose family changed between versions (prompts, connectors): namespace or table, as its backend has."""

    backend: str
    namespace: str | None = None
    table_name: str | None = None


class StoresConfig(StorageSection):
    """Which store is kept where. What the file leaves out is kept in the first backend of its family."""

    metadata: KeyValueReference | None = None
    inference: QueuedSqlReference | None = None
    conversations: SqlReference | None = None
    responses: QueuedSqlReference | None = None
    prompts: AnyReference | None = None
    connectors: AnyReference | None = None
    vector_stores: SqlReference | None = None


STORE_FAMILIES: dict[str, tuple[Family, ...]] = {
    "metadata": ("kv",),
    "inference": ("sql",),
    "conversations": ("sql",),
    "responses": ("sql",),
    "prompts": ("kv", "sql"),
    "connectors": ("kv", "sql"),
    "vector_stores": ("sql",),
}
"""Every store, with the families of backends that it can live in."""

_DEFAULTS: tuple[tuple[Family, str, type[SqliteKeyValueConfig] | type[SqliteSqlConfig]], ...] = (
    ("kv", "kv_default", SqliteKeyValueConfig),
    ("sql", "sql_default", SqliteSqlConfig),
)


class StorageConfig(StorageSection):
    """The `storage` section. Complete once validated: every store has a reference, both families a backend."""

    backends: dict[str, Backend] = Field(default_factory=dict)
    stores: StoresConfig = Field(default_factory=StoresConfig)

    @model_validator(mode="after")
    def _complete(self) -> StorageConfig:
        types = {name: backend.type for name, backend in self.backends.items()}
        homes: dict[Family, str] = {}
        for family, name, default in _DEFAULTS:
            of_family = [known for known, kind in types.items() if family_of(kind) == family]
            homes[family] = name if name in of_family or not of_family else of_family[0]
            if not of_family:
                self.backends.setdefault(name, default())
        stores, kv, sql = self.stores, homes["kv"], homes["sql"]
        stores.metadata = stores.metadata or KeyValueReference(backend=kv, namespace="registry")
        stores.inference = stores.inference or QueuedSqlReference(backend=sql, table_name="inference_store")
        stores.conversations = stores.conversations or SqlReference(backend=sql, table_name="conversations")
        stores.responses = stores.responses or QueuedSqlReference(backend=sql, table_name="responses")
        stores.prompts = stores.prompts or AnyReference(backend=kv, namespace="prompts")
        stores.connectors = stores.connectors or AnyReference(backend=kv, namespace="connectors")
        stores.vector_stores = stores.vector_stores or SqlReference(backend=sql, table_name="vector_stores")
        return self

    def all_packages(self) -> tuple[str, ...]:
        """The requirements of all backends, each once."""
        return tuple(dict.fromkeys(package for backend in self.backends.values() for package in backend.packages))


def backends_with_defaults(types: Mapping[str, str]) -> dict[str, str]:
    """Backend types by name, with those that `StorageConfig` adds where a family has none."""
    families = {family_of(kind) for kind in types.values()}
    added = {name: default().type for family, name, default in _DEFAULTS if family not in families}
    return {**added, **types}


def family_of(backend_type: str) -> Family:
    return "kv" if backend_type.startswith("kv_") else "sql"
