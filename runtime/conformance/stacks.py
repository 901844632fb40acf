"""Stacks for tests: a run config as text, planned and opened for real, with a client at its HTTP door.

Storage is in memory unless a test gives a state folder that is to outlive the stack.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime import discovery
from runtime.config.loading import parse_run_config
from runtime.config.run_config import RunConfig
from runtime.conformance.asgi import Client, living
from runtime.http.transport import Transport
from runtime.server.app import make_app
from runtime.server.by_need import app_by_need
from runtime.server.masking import Hidden
from runtime.server.middleware.request import RequestMiddleware
from runtime.spec import Spec
from runtime.stack.exporters import exporters_of
from runtime.stack.interposed import Interposed
from runtime.stack.plan import plan
from runtime.stack.planned import PlannedProvider
from runtime.stack.stack import TELEMETRY, Stack


def run_config(
    *inference: Mapping[str, Any],
    models: list[dict[str, Any]] | None = None,
    persistent: bool = False,
    env: Mapping[str, str] | None = None,
    **sections: Any,
) -> RunConfig:
    """A run config with these inference providers. persistent: registrations in SQLite instead of memory. Raises
    ConfigInvalid.
    """
    document: dict[str, Any] = {"version": 2, "distro_name": "test", "providers": {"inference": list(inference)}}
    if not persistent:
        document["storage"] = {"backends": {"kv_default": {"type": "kv_memory"}}}
    if models is not None:
        document["registered_resources"] = {"models": models}
    # JSON is YAML, and needs no second writer.
    return parse_run_config(json.dumps(document | sections), env=env or {})


@dataclass(frozen=True)
class Served:
    """A stack that is served. client: at its door; stack: behind it."""

    stack: Stack
    client: Client


@asynccontextmanager
async def serving(
    run: RunConfig, state_dir: Path, *, cache_dir: Path | None = None, settled: bool = True, by_need: bool = False,
    aliases: Mapping[str, str] | None = None, transport: Callable[[PlannedProvider], Transport] | None = None,
    specs: Sequence[Spec] = (), models_dir: Path | None = None, interposed: Interposed | None = None,
    env: Mapping[str, str] | None = None,
) -> AsyncIterator[Served]:  # fmt: skip
    """Plan, open, serve and close. settled: wait until every provider has started or failed. by_need: as for a library,
    with what only comes by default left until it is asked for. specs: of providers beside those that are built in.
    models_dir: where models are that were downloaded. interposed: what is recorded or replayed. env: variables of the
    server's own. Raises ConfigInvalid.
    """
    planned = plan(run, world=discovery.built_in().beside((), specs) if specs else None)
    exporters = exporters_of(
        run.telemetry, env or {}, planned.apis.values(), is_kept=bool(planned.of(TELEMETRY)),
        distribution=run.distro_name, hidden=Hidden(planned.secrets()),
    )  # fmt: skip
    stack = Stack(
        planned, run, state_dir=state_dir, cache_dir=cache_dir, models_dir=models_dir, aliases=aliases,
        transport=transport, interposed=interposed, exporters=exporters.every, sampler=exporters.sampler,
    )  # fmt: skip
    await stack.open(by_need=by_need)
    metrics = exporters.read
    app = app_by_need(stack, metrics=metrics) if by_need else make_app(stack, cors=run.server.cors, metrics=metrics)
    async with _in_process(stack, app) if by_need else living(app) as client:
        if settled:
            await stack.settled.wait()
        yield Served(stack, client)


@asynccontextmanager
async def _in_process(stack: Stack, app: RequestMiddleware) -> AsyncIterator[Client]:
    """A client as programs have one that have the stack as a library."""
    stack.start()
    try:
        yield Client(app)
    finally:
        await stack.close()


def adapter_of(stack: Stack, api: str) -> Any:
    """The first adapter of an API, past its router."""
    return next(adapter for planned, adapter in stack.adapters() if planned.api == api)
