"""What listings and health checks say about the models of a pool."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from runtime.apis.providers import ProviderHealth
from runtime.provider import healthy, unhealthy
from runtime.providers.inference._pool_members import Member, ModelState


def shown(state: ModelState) -> dict[str, Any]:
    """What a listing says about a model's state."""
    found: dict[str, Any] = {"loaded": state.state == "loaded", "state": state.state}
    if state.progress is not None:
        found["progress"] = round(state.progress, 2)
    if state.failure is not None:
        found["failure"] = state.failure.words
    return found


def health_of(members: Collection[Member[Any]]) -> ProviderHealth:
    """How the models of a provider are, in one line, and what they measure; degraded where one could not be loaded."""
    words = "; ".join(map(_condition, members))
    figures = {member.name: member.runner.figures() for member in members if member.runner is not None}
    has_failed = any(member.state.failure is not None for member in members)
    health = unhealthy(words) if has_failed else healthy(words)
    return health.model_copy(update={"metrics": {name: found for name, found in figures.items() if found} or None})


def _condition(member: Member[Any]) -> str:
    state = member.state
    if state.failure is not None:
        return f"{member.name} could not be loaded: {state.failure.words}"
    if state.loading_s is not None:
        progress = "" if state.progress is None else f", {state.progress:.0%}"
        return f"{member.name} is being loaded for {state.loading_s:.0f} s{progress}"
    return f"{member.name} is not loaded" if member.runner is None else str(member.runner.condition())
