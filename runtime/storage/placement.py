"""Which store is in which backend: the `storage` section of a run config, and providers' own references.

Knows names and backends; opens nothing. Imports pydantic, no driver.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, field_validator, model_validator

from runtime.apis._api import Family, Store
from runtime.storage.analytics.config import PACKAGES, AnalyticsConfig
from runtime.storage.backends import BACKENDS, AnyBackend, MemoryKeyValueConfig
from runtime.storage.settings import Age, BackendConfig, KeyValueConfig, Namespace, Section, TableName
from runtime.storage.sqlite.config import SqliteKeyValueConfig, SqliteSqlConfig

RESOURCE_STORE = Store(name="metadata", part="registry", kinds=("registrations",))
"""Where the stack itself keeps registered resources."""
JOBS_STORE = Store(name="jobs", families=("sql",), kinds=("jobs",))
"""Where the stack itself keeps durable work; see `runtime.storage.jobs`."""
STACK_STORES = (RESOURCE_STORE, JOBS_STORE)
"""What every stack keeps, whatever it serves."""

_DEFAULTS: Mapping[Family, tuple[str, Callable[[], BackendConfig]]] = {
    "kv": ("kv_default", SqliteKeyValueConfig),
    "sql": ("sql_default", SqliteSqlConfig),
}
"""By family, the name of the default backend, and its settings if the run config has no backend of the family."""


class Reference(Section):
    """A place that a provider's own config names. family: of the backends that can be one."""

    family: ClassVar[Family]
    backend: str = Field(description="A backend of `storage.backends`.")


class KeyValueReference(Reference):
    """A place for keys and values: a backend, and a namespace in it.

    A provider's config model has it as a field, such as `persistence`, and the provider passes it to
    `context.storage.kv`. No two can be at the same place, nor at that of a store.
    """

    family = "kv"
    namespace: Namespace = Field(description="Put before every key.", min_length=1)


class SqlReference(Reference):
    """A place for tables: a backend, and the name of the first table in it. As a KeyValueReference, for
    `context.storage.sql`.
    """

    family = "sql"
    table_name: TableName = Field(description="The table, and the beginning of the names of others beside it.")


class StoreReference(Section):
    """Where `storage.stores` places one store: a namespace or a table, depending on its backend."""

    backend: str = Field(description="A backend of `storage.backends`.")
    namespace: Namespace | None = Field(None, description="Put before every key. For keys and values.")
    table_name: TableName | None = Field(
        None, description="The table, and the beginning of the names of others beside it. For tables."
    )
    enabled: bool | None = Field(
        None, description="Of `inference`: whether chat completions are kept. Default: true; a request may say no."
    )
    max_write_queue_size: int | None = Field(
        None,
        ge=1,
        description="Writes that may wait. A chat completion beyond them is not kept, which its answer says; who writes"
        " anything else waits. For tables.",
    )
    num_writers: int | None = Field(
        None,
        ge=1,
        description="Writers at work at once, which may overtake each other: a row may come into a list before others"
        " that are there. For tables in PostgreSQL; a SQLite file has one.",
    )


class StorageConfig(Section):
    """The `storage` section. Once validated, each family has a backend."""

    backends: dict[str, AnyBackend] = Field(
        default_factory=dict, description="Databases and files that hold what is kept, under names of yours."
    )
    stores: dict[str, StoreReference] = Field(
        default_factory=dict, description="Which backend holds what, by store; what is not named is in a default one."
    )
    retention: dict[str, Age] = Field(
        default_factory=dict,
        description="How long what is kept stays, by kind, as in `completions: 30d`; what is not named stays until it"
        " is deleted. `llama stack storage show` names the kinds.",
    )
    analytics: AnalyticsConfig | None = Field(
        None, description="Where usage, traces, datasets and results of evaluations are kept."
    )

    @field_validator("stores", "retention", mode="before")
    @classmethod
    def _without_nulls_inside(cls, section: Any) -> Any:
        if not isinstance(section, dict):
            return section
        return {name: value for name, value in section.items() if value is not None}

    @model_validator(mode="after")
    def _complete(self) -> StorageConfig:
        families = {BACKENDS[backend.type].family for backend in self.backends.values()}
        for family, (name, default) in _DEFAULTS.items():
            if family not in families and name in self.backends:
                raise ValueError(f"there is no `{family}_` backend, and `{name}` is `{self.backends[name].type}`")
            if family not in families:
                self.backends[name] = default()
        return self

    def within(self, state_dir: Path) -> StorageConfig:
        """The same without what is elsewhere than in the state folder: a file there is in the place of each backend
        that is a server, or a file of another folder.
        """
        backends = dict(self.backends)
        for place, (name, backend) in enumerate(self.backends.items(), start=1):
            file = file_of(backend, state_dir)
            is_there = file is not None and file.resolve().is_relative_to(state_dir.resolve())
            if is_there or isinstance(backend, MemoryKeyValueConfig):
                continue
            if isinstance(backend, KeyValueConfig):
                backends[name] = SqliteKeyValueConfig(db_path=f"kv-{place}.db", namespace=backend.namespace)
            else:
                backends[name] = SqliteSqlConfig(db_path=f"sql-{place}.db")
        analytics = self.analytics
        if analytics and not (state_dir / analytics.db_path).resolve().is_relative_to(state_dir.resolve()):
            analytics = analytics.model_copy(update={"db_path": AnalyticsConfig().db_path})
        return self.model_copy(update={"backends": backends, "analytics": analytics})

    def place_of(self, store: Store) -> StoreReference:
        """Where a store is: as `stores` says, else in the default backend of the store's first family."""
        given = self.stores.get(store.name) or StoreReference(backend=self._default_backend(store.families[0]))
        part = store.part or store.name
        namespace = part if given.namespace is None else given.namespace
        table_name = given.table_name or part.replace("-", "_")
        return given.model_copy(update={"namespace": namespace, "table_name": table_name})

    def types(self) -> dict[str, str]:
        """The types of the backends, by name."""
        return {name: backend.type for name, backend in self.backends.items()}

    def packages(self) -> tuple[str, ...]:
        """The requirements of all backends and of analytics, each once."""
        named = [package for kind in self.types().values() for package in BACKENDS[kind].packages]
        return tuple(dict.fromkeys([*named, *(PACKAGES if self.analytics else ())]))

    def _default_backend(self, family: Family) -> str:
        of_family = [name for name, kind in self.types().items() if BACKENDS[kind].family == family]
        usual = _DEFAULTS[family][0]
        return usual if usual in of_family else of_family[0]


def with_defaults(types: Mapping[str, str]) -> dict[str, str]:
    """Backend types by name, with the defaults that `StorageConfig` adds for missing families. Types may be unknown."""
    families = {BACKENDS[kind].family for kind in types.values() if kind in BACKENDS}
    added = {name: default().type for family, (name, default) in _DEFAULTS.items() if family not in families}
    return {**added, **types}


def file_of(config: BackendConfig, state_dir: Path) -> Path | None:
    """The file of a backend that is one."""
    return state_dir / config.db_path if isinstance(config, SqliteKeyValueConfig | SqliteSqlConfig) else None
