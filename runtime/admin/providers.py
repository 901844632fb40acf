"""`providers RUN_YAML`: ask every remote provider once, with the configured key, what the server would ask it.

No server is needed for that, and none is disturbed: whatever a provider keeps goes into a temporary folder.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from contextlib import nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any, Literal

from runtime import discovery
from runtime.errors import StackError, Unavailable, UpstreamError, UpstreamTimeout, UpstreamUnreachable
from runtime.http.client import HttpClient
from runtime.provider import HasHealth, ListsModels, ProviderContext, Starts, Stops, Tasks
from runtime.stack.failures import TookTooLong, attempt, reason_of, without_secrets
from runtime.stack.instance import Instance
from runtime.stack.plan import Plan, plan, read_run_config
from runtime.stack.planned import PlannedProvider
from runtime.stack.stack import Stack, configured_key
from runtime.storage.jobs import SCHEMA, JobRunner, Jobs
from runtime.storage.placement import JOBS_STORE, StorageConfig
from runtime.storage.stores import Stores

Outcome = Literal[
    "ok", "slow", "no_models", "not_asked", "needs_key", "refused_key", "unreachable", "timed_out", "failed"
]
"""not_asked: it has nothing that can be asked for free, such as a list of models."""

LIMIT_S = 20.0
"""How long a provider can take for all that it is asked."""

_STOP_S = 5.0
_SLOW_S = 3.0


async def ask_providers(run_yaml: Path) -> list[dict[str, Any]]:
    """How each remote provider answers: api, provider_id, provider_type, outcome, message (None where there is nothing
    to say), seconds, models (how many it lists; None if it was not asked). Raises ConfigInvalid for a run config that
    cannot be planned.
    """
    run = read_run_config(run_yaml, os.environ, to_build=True)
    planned = plan(run, file=str(run_yaml))
    remote = [provider for provider in planned.providers if provider.spec.kind == "remote"]
    with tempfile.TemporaryDirectory(prefix="llama-doctor-") as folder:
        state_dir = Path(folder)
        # Never opened: it only tells a provider what else there is.
        view = Stack(planned, run, state_dir=state_dir)
        return list(await asyncio.gather(*(_asked(provider, planned, view, state_dir) for provider in remote)))


async def _asked(provider: PlannedProvider, planned: Plan, view: Stack, state_dir: Path) -> dict[str, Any]:
    http = HttpClient(provider.provider_id, network=provider.network)
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
        configured_key=configured_key(provider),
    )
    adapter: Any = None
    began = time.monotonic()
    try:
        http.connections.check()
        adapter = discovery.load(provider.spec.adapter, package=provider.spec.module)(provider.config, context)
        began = time.monotonic()
        outcome, message, models = await attempt(_questioned(adapter, provider), limit_s=LIMIT_S)
    except (Exception, SystemExit) as error:
        outcome, message, models = _classified(error), reason_of(error, provider, "did not answer"), None
        if isinstance(error, TookTooLong):
            message = f"`{provider.provider_id}` did not answer within {LIMIT_S:.0f} s"
    took = time.monotonic() - began
    with suppress(Exception):  # how it ends says nothing of how it answers
        if isinstance(adapter, Stops):
            await attempt(adapter.stop(), limit_s=_STOP_S)
        await tasks.close()
        await http.close()
        await stores.close()
    return {
        "api": provider.api,
        "provider_id": provider.provider_id,
        "provider_type": provider.spec.provider_type,
        "outcome": outcome,
        "message": message and without_secrets(message, provider),
        "seconds": round(took, 3),
        "models": models,
    }


async def _questioned(adapter: Any, provider: PlannedProvider) -> tuple[Outcome, str | None, int | None]:
    """The outcome, what there is to say, and how many models it lists. Raises what the provider raises."""
    if isinstance(adapter, Starts):
        await adapter.start()
    began = time.monotonic()
    if isinstance(adapter, HasHealth):
        health = await adapter.check_health()
        if health.state == "needs-key":
            return "needs_key", health.message, None
        if health.state == "degraded":
            return "failed", health.message, None
    if not isinstance(adapter, ListsModels):
        return ("ok" if isinstance(adapter, HasHealth) else "not_asked"), None, None
    models = len(await adapter.list_models())
    seconds = time.monotonic() - began
    if not getattr(provider.spec.facts, "lists_models", True):
        return "not_asked", "it has no list of models, so that its key cannot be tried without cost", models
    if not models:
        return "no_models", "it answers, and lists no model", 0
    return ("slow" if seconds > _SLOW_S else "ok"), None, models


def _no_api(protocol: type) -> Any:
    raise Unavailable(f"{protocol.__name__} is not there while a provider is asked alone")


def _classified(error: BaseException) -> Outcome:
    if isinstance(error, UpstreamUnreachable):
        return "unreachable"
    if isinstance(error, TookTooLong | UpstreamTimeout):
        return "timed_out"
    if isinstance(error, UpstreamError) and error.upstream_status in (401, 403):
        return "refused_key"
    return "failed" if not isinstance(error, StackError) or error.code != "upstream_refused_key" else "refused_key"
