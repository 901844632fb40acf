"""Everything that a run config's stack keeps, and where: its stores, opened only where something is there already."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from runtime.admin.storage.analytics import KeptAnalytics, kept_analytics
from runtime.apis._api import Family
from runtime.config.storage import references_in
from runtime.stack.plan import Plan, plan, read_run_config
from runtime.storage.backends import BACKENDS
from runtime.storage.kv import KeyValueStore
from runtime.storage.placement import KeyValueReference, Reference, SqlReference, StorageConfig, file_of
from runtime.storage.settings import BackendConfig
from runtime.storage.sql.backend import SqlBackend
from runtime.storage.sql.described import described_stores
from runtime.storage.sql.migrations import KEY_VALUE, full_name
from runtime.storage.sql.store import SqlStore
from runtime.storage.sql.tables import Table
from runtime.storage.stores import Stores


@dataclass(frozen=True, kw_only=True)
class StorePlace:
    """One store of a stack. name: the same in every run config that has it: that of a declared store, or where a
    provider's config says it. part: its namespace or its first table. ref: as `Storage` takes it. kinds, ages: as
    `Store` has them.
    """

    name: str
    family: Family
    backend: str
    part: str
    ref: str | Reference
    kinds: tuple[str, ...] = ()
    ages: bool = True


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What is there of it. tables, keys: the stores that have been used, each with its place. storage: as configured.
    foreign: tables that are no store's of this run config, by backend. databases: the backends of tables, by name.
    analytics: their tables; declared_kinds: what can be too old, whether or not something of it is there.
    """

    storage: StorageConfig
    state_dir: Path
    stores: Stores
    places: tuple[StorePlace, ...]
    tables: tuple[tuple[StorePlace, SqlStore], ...]
    keys: tuple[tuple[StorePlace, KeyValueStore], ...]
    foreign: tuple[tuple[str, SqlStore], ...]
    databases: Mapping[str, SqlBackend]
    analytics: KeptAnalytics
    declared_kinds: frozenset[str]

    def kinds(self) -> Iterator[tuple[str, StorePlace, SqlStore, Table]]:
        """Every table, by the kind of its rows; one whose rows are part of something else, by its own name."""
        for place, store in self.tables:
            for table in store.schema.tables:
                yield kind_of(store, table), place, store, table

    def ageing_kinds(self) -> list[str]:
        """Kinds that can be too old, whether or not something of them is there."""
        there = {kind for kind, _, _, table in self.kinds() if table.holds and table.aged_by}
        return sorted({*self.declared_kinds, *there, *(table.name for table in self.analytics.tables if table.aged_by)})


@asynccontextmanager
async def kept_by(run_yaml: Path, state_dir: Path) -> AsyncIterator[Kept]:
    """Open it for the block. Raises ConfigInvalid for a run config that cannot be planned, Unavailable for a database
    that cannot be used.
    """
    run = read_run_config(run_yaml, os.environ, to_build=True)
    planned = plan(run, file=str(run_yaml))
    stores = Stores(run.storage, state_dir, planned.stores.values())
    places = [*_declared(run.storage, planned), *_referred(planned)]
    placed = {(place.backend, place.part): place for place in places if place.family == "sql"}
    there = {name for name, config in run.storage.backends.items() if _is_there(config, state_dir)}
    tables, foreign = [], []
    try:
        databases = {name: stores.database(name) for name in sorted({name for name, _ in placed} & there)}
        for backend, database in databases.items():
            for store in await described_stores(database):
                if (backend, store.name) in placed:
                    tables.append((placed[backend, store.name], store))
                elif store.schema.name != KEY_VALUE and store.name not in {name for _, name in placed}:
                    foreign.append((backend, store))
        yield Kept(
            storage=run.storage,
            state_dir=state_dir,
            stores=stores,
            places=tuple(places),
            tables=tuple(tables),
            keys=tuple((place, keys_of(place, stores)) for place in places if _holds_keys(place, there)),
            foreign=tuple(foreign),
            databases=databases,
            analytics=await kept_analytics(stores.analytics()),
            declared_kinds=planned.analytics | {kind for one in placed.values() if one.ages for kind in one.kinds},
        )
    finally:
        await stores.close()


def keys_of(place: StorePlace, stores: Stores) -> KeyValueStore:
    """The store at a place of keys and values. Raises Unavailable if it cannot be opened."""
    assert not isinstance(place.ref, SqlReference)
    return stores.kv(place.ref)  # type: ignore[arg-type]  # of its family


def kind_of(store: SqlStore, table: Table) -> str:
    """What the rows of a table are called: their kind, or the table's name where they are part of something else."""
    return table.holds or full_name(store.name, table.name)


def _is_there(config: BackendConfig, state_dir: Path) -> bool:
    """Whether there can be something in it, so that looking makes no file."""
    file = file_of(config, state_dir)
    return config.type != "kv_memory" if file is None else file.exists()


def _holds_keys(place: StorePlace, there: Collection[str]) -> bool:
    return place.family == "kv" and place.backend in there


def _declared(storage: StorageConfig, planned: Plan) -> Iterator[StorePlace]:
    for store in planned.stores.values():
        where = storage.place_of(store)
        family = BACKENDS[storage.types()[where.backend]].family
        part = str(where.table_name if family == "sql" else where.namespace)
        yield StorePlace(
            name=store.name, family=family, backend=where.backend, part=part, ref=store.name, kinds=store.kinds,
            ages=store.ages,
        )  # fmt: skip


def _referred(planned: Plan) -> Iterator[StorePlace]:
    for provider in planned.providers:
        kinds = tuple(kind for store in provider.stores() for kind in store.kinds)
        for steps, reference in references_in(provider.config):
            name = ".".join(map(str, (provider.api, provider.provider_id, *steps)))
            part = reference.namespace if isinstance(reference, KeyValueReference) else ""
            if isinstance(reference, SqlReference):
                part = reference.table_name
            family = reference.family
            yield StorePlace(name=name, family=family, backend=reference.backend, part=part, ref=reference, kinds=kinds)
