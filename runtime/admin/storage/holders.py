"""The providers that keep bytes outside of the databases: opened, and not started, so that their bytes can be moved."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from runtime.admin.storage.kept import Kept, StorePlace
from runtime.provider import HoldsBytes
from runtime.stack.plan import Plan, plan, read_run_config
from runtime.stack.planned import PlannedProvider
from runtime.stack.stack import Stack


@asynccontextmanager
async def opened(run_yaml: Path, state_dir: Path, *, only: Kept | None = None) -> AsyncIterator[Stack]:
    """A stack whose providers are constructed, so that the tables of all are there. only: of what is kept, those that
    hold bytes of it, with its tables as they are. Raises ConfigInvalid, Unavailable.
    """
    run = read_run_config(run_yaml, os.environ, to_build=True)
    planned = plan(run, file=str(run_yaml))
    if only is not None:
        tables = [(place.name, table) for place, store in only.tables for table in store.schema.tables]
        names = {name for name, table in tables if table.pruned == "expire"}
        chosen = (one for one in planned.providers if names & set(_stores_of(one, planned, only.places)))
        planned = replace(planned, providers=tuple(chosen))
    stack = Stack(planned, run, state_dir=state_dir)
    await stack.open(with_tables=only is None)
    try:
        yield stack
    finally:
        await stack.close()


def holders_in(stack: Stack, kept: Kept, *, with_remote: bool = False) -> Mapping[str, HoldsBytes]:
    """Who holds the bytes of a store, by its name: providers of this machine, or with_remote all."""
    return {
        name: adapter
        for planned, adapter in stack.adapters()
        if (with_remote or planned.spec.kind == "inline") and isinstance(adapter, HoldsBytes)
        for name in _stores_of(planned, stack.plan, kept.places)
    }


def _stores_of(provider: PlannedProvider, planned: Plan, places: tuple[StorePlace, ...]) -> Iterator[str]:
    """The names of the stores that a provider uses."""
    api = planned.apis.get(provider.api) or planned.inner_apis.get(provider.api)
    yield from (store.name for store in (*provider.stores(), *(api.stores if api else ())))
    begin = f"{provider.api}.{provider.provider_id}."
    yield from (place.name for place in places if place.name.startswith(begin))
