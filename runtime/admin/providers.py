"""`providers RUN_YAML`: ask every remote provider once, with the configured key, what the server would ask it.

No server is needed for that, and none is disturbed: whatever a provider keeps goes into a temporary folder.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path
from typing import Any, Literal

from runtime.admin.alone import made_alone
from runtime.errors import StackError, UpstreamError, UpstreamTimeout, UpstreamUnreachable
from runtime.provider import HasHealth, ListsModels, Starts
from runtime.stack.failures import TookTooLong, attempt, reason_of, without_secrets
from runtime.stack.plan import plan, read_run_config
from runtime.stack.planned import PlannedProvider
from runtime.stack.stack import Stack

Outcome = Literal[
    "ok", "slow", "no_models", "not_asked", "needs_key", "refused_key", "unreachable", "timed_out", "failed"
]
"""not_asked: it has nothing that can be asked for free, such as a list of models."""

LIMIT_S = 20.0
"""How long a provider can take for all that it is asked."""

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
        return list(await asyncio.gather(*(_asked(provider, view, state_dir) for provider in remote)))


async def _asked(provider: PlannedProvider, view: Stack, state_dir: Path) -> dict[str, Any]:
    began = time.monotonic()
    try:
        async with made_alone(provider, view, state_dir) as (adapter, _):
            began = time.monotonic()
            outcome, message, models = await attempt(_questioned(adapter, provider), limit_s=LIMIT_S)
            took = time.monotonic() - began
    except (Exception, SystemExit) as error:
        took = time.monotonic() - began
        outcome, message, models = _classified(error), reason_of(error, provider, "did not answer"), None
        if isinstance(error, TookTooLong):
            message = f"`{provider.provider_id}` did not answer within {LIMIT_S:.0f} s"
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


def _classified(error: BaseException) -> Outcome:
    if isinstance(error, UpstreamUnreachable):
        return "unreachable"
    if isinstance(error, TookTooLong | UpstreamTimeout):
        return "timed_out"
    if isinstance(error, UpstreamError) and error.upstream_status in (401, 403):
        return "refused_key"
    return "failed" if not isinstance(error, StackError) or error.code != "upstream_refused_key" else "refused_key"
