"""What listings and health checks say about the models of a pool."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from typing import Any

from runtime.apis.providers.protocol import ProviderHealth
from runtime.errors import StackError
from runtime.provider import healthy, unhealthy
from runtime.providers.inference._pool_members import Member, ModelState


def shown(state: ModelState) -> dict[str, Any]:
    """What a listing says about a model's state."""
    found: dict[str, Any] = {"loaded": state.state == "loaded", "state": state.state}
    if state.progress is not None:
        found["progress"] = math.floor(state.progress * 100) / 100
    if state.failure is not None:
        found["failure"] = _reason(state.failure)
    return found


def health_of(members: Collection[Member[Any]]) -> ProviderHealth:
    """How the models of a provider are, in one line, and what they measure; degraded where one could not be loaded:
    then only why, in words that stay while the others work.
    """
    failures = [(member.name, member.state.failure) for member in members]
    failed = [f"`{name}` could not be loaded: {_reason(why)}" for name, why in failures if why is not None]
    health = unhealthy("; ".join(failed)) if failed else healthy("; ".join(map(_condition, members)))
    return health.model_copy(update={"metrics": figures_of(members) or None})


def figures_of(members: Iterable[Member[Any]]) -> dict[str, dict[str, float]]:
    """What each model measures; those that measure nothing are left out."""
    figures = {member.name: member.runner.figures() for member in members if member.runner is not None}
    return {name: found for name, found in figures.items() if found}


def _condition(member: Member[Any]) -> str:
    state = member.state
    if state.loading_s is not None:
        progress = "" if state.progress is None else f", {math.floor(state.progress * 100)}%"
        return f"{member.name} is being loaded for {state.loading_s:.0f} s{progress}"
    if member.runner is None or not member.runner.works:
        return f"{member.name} is not loaded"
    return str(member.runner.condition())


def _reason(failure: StackError) -> str:
    remedy = f" ({failure.hint})" if failure.hint else ""
    return failure.message.rstrip(".") + remedy
