"""A provider made by itself, as a stack would make it, with nothing of a stack around it: to ask it something."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any

from runtime import discovery
from runtime.config.home import usable_cache_dir, usable_models_dir
from runtime.errors import Unavailable
from runtime.http.client import HttpClient
from runtime.http.transport import Between
from runtime.provider import ProviderContext, Stops, Tasks
from runtime.stack.failures import attempt
from runtime.stack.instance import Instance
from runtime.stack.planned import PlannedProvider
from runtime.stack.stack import Stack, configured_key
from runtime.storage.jobs import SCHEMA, JobRunner, Jobs
from runtime.storage.placement import JOBS_STORE, StorageConfig
from runtime.storage.stores import Stores

_STOP_S = 5.0


@asynccontextmanager
async def made_alone(
    provider: PlannedProvider, view: Stack, state_dir: Path, *, between: Between | None = None
) -> AsyncIterator[tuple[Any, HttpClient]]:
    """Its adapter, which is not started, and its client, until the block ends. view: a stack that is never opened, and
    tells it what else there is. state_dir: for whatever it keeps. between: before its servers.

    Raises what making it raises.
    """
    http = HttpClient(provider.provider_id, network=provider.network, between=between)
    stores = Stores(StorageConfig(), state_dir, provider.stores())
    tasks, instance = Tasks(f"{provider.api}/{provider.provider_id}"), Instance()
    jobs = JobRunner(partial(stores.sql, JOBS_STORE.name, SCHEMA))  # never started
    context = ProviderContext(
        provider_id=provider.provider_id,
        spec=provider.spec,
        http=http,
        storage=stores,
        state_dir=state_dir / provider.api / provider.provider_id,
        tasks=tasks,
        stack=view,
        find_api=_no_api,
        find_optional_api=lambda protocol: None,
        find_jobs=lambda: Jobs(jobs, provider.provider_id, lambda: False, nullcontext),
        find_loop=lambda headers: instance.leads_back(provider.provider_id, headers),
        shared_cache_dir=usable_cache_dir(),
        models_dir=usable_models_dir(),
        configured_key=configured_key(provider),
    )
    adapter: Any = None
    try:
        http.connections.check()
        adapter = discovery.load(provider.spec.adapter, package=provider.spec.module)(provider.config, context)
        yield adapter, http
    finally:
        with suppress(Exception):  # how it ends says nothing of how it answers
            if isinstance(adapter, Stops):
                await attempt(adapter.stop(), limit_s=_STOP_S)
            await tasks.close()
            await http.close()
            await stores.close()


def _no_api(protocol: type) -> Any:
    raise Unavailable(f"{protocol.__name__} is not there while a provider is asked alone")
