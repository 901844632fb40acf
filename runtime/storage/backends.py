"""The types of backends: their settings in a run config, and the function that opens one. Imports pydantic, no driver.

A `kv_` backend holds keys and values, an `sql_` backend holds tables. A relative `db_path` is relative to the server's
state folder, so that several servers can use the same run config. A new type needs an entry in `BACKENDS`, its config
here, and a module that opens it.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from runtime.apis._api import Family

_TABLE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
NAMESPACE_SEPARATOR = "\x1f"
"""Ends a namespace in a key: the unit separator, since names may contain `:` and `/`."""


class Section(BaseModel):
    """A part of a run config: unknown keys are refused, and null means the same as leaving a key out.

    It is defined here, below `runtime.config`, so that the sections of storage can use it too.
    """

    model_config = ConfigDict(extra="forbid", defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: Any) -> Any:
        return {key: value for key, value in data.items() if value is not None} if isinstance(data, dict) else data


def _without_separator(namespace: str) -> str:
    if NAMESPACE_SEPARATOR in namespace:
        raise ValueError("a namespace cannot contain the character U+001F")
    return namespace


def _is_table_name(name: str) -> str:
    if not _TABLE_NAME.fullmatch(name):
        raise ValueError("a table's name has letters, digits and `_`, at most 40, and begins with a letter")
    return name


TableName = Annotated[str, AfterValidator(_is_table_name)]
Namespace = Annotated[str, AfterValidator(_without_separator)]


class BackendConfig(Section):
    """The settings of one backend in a run config; each type has its own fields."""

    type: str


class KeyValueConfig(BackendConfig):
    """A backend that holds keys and values."""

    namespace: Namespace | None = Field(None, description="Put before every key of this backend.")


class SqliteKeyValueConfig(KeyValueConfig):
    """Keys and values in one SQLite file."""

    type: Literal["kv_sqlite"] = "kv_sqlite"
    db_path: str = Field("kvstore.db", description="The file; relative to the server's state folder.", min_length=1)


class MemoryKeyValueConfig(KeyValueConfig):
    """Keys and values in memory, lost when the process ends; for tests and for servers that need no storage."""

    type: Literal["kv_memory"] = "kv_memory"


class SqliteSqlConfig(BackendConfig):
    """Tables in one SQLite file."""

    type: Literal["sql_sqlite"] = "sql_sqlite"
    db_path: str = Field("sql_store.db", description="The file; relative to the server's state folder.", min_length=1)


@dataclass(frozen=True, kw_only=True)
class Backend:
    """One type of backend.

    config: the model of its settings; None for a type that only other versions have. opener:
    `module:function`, called with the config and the server's state folder; imported when one is opened. packages:
    requirements that it adds to a distribution.
    """

    family: Family
    config: type[BackendConfig] | None = None
    opener: str = ""
    packages: tuple[str, ...] = ()

    def load(self) -> Callable[..., Any]:
        """The opener. Raises ImportError if a package is missing."""
        module, _, name = self.opener.partition(":")
        opener: Callable[..., Any] = getattr(importlib.import_module(module), name)
        return opener


BACKENDS: dict[str, Backend] = {
    "kv_memory": Backend(family="kv", config=MemoryKeyValueConfig, opener="runtime.storage.kv.memory:open_memory"),
    "kv_mongodb": Backend(family="kv"),
    "kv_postgres": Backend(family="kv"),
    "kv_redis": Backend(family="kv"),
    "kv_sqlite": Backend(family="kv", config=SqliteKeyValueConfig, opener="runtime.storage.kv.sqlite:open_sqlite"),
    "sql_postgres": Backend(family="sql"),
    "sql_sqlite": Backend(family="sql", config=SqliteSqlConfig, opener="runtime.storage.sql.sqlite:open_sqlite"),
}
"""Every known type."""

BACKEND_TYPES = tuple(name for name, backend in BACKENDS.items() if backend.config is not None)
"""The types that this version has."""

if TYPE_CHECKING:
    AnyBackend = BackendConfig
else:
    _CONFIGS = [BACKENDS[name].config for name in BACKEND_TYPES]
    AnyBackend = Annotated[reduce(or_, _CONFIGS), Field(discriminator="type")]


def types_of(family: Family) -> list[str]:
    """The types of one family that this version has."""
    return [name for name in BACKEND_TYPES if BACKENDS[name].family == family]
