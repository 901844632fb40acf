"""Whether the shields that a run config names can be there: part of planning, and pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pydantic import BaseModel

from runtime.apis._api import Api
from runtime.config.run_config import RunConfig
from runtime.similar import names_for
from runtime.stack.planned import Problems

_API, _REGISTRY, _ID = "safety", "shields", "shield_id"


def check_guardrails(run: RunConfig, routed: Mapping[str, Api], problems: Problems) -> None:
    """Chats that are to go through shields need some: without, each would be refused."""
    guardrails = run.safety.guardrails if run.safety is not None else None
    if guardrails is None or not (guardrails.input or guardrails.output):
        return
    words = f"chats are to go through shields, but the API {_API}"
    if not run.providers.get(_API):
        hint = f"add one under providers.{_API}, or leave `safety.guardrails` out"
        problems.add(f"{words} has no provider", path="safety.guardrails", hint=hint)
    elif _API not in routed:
        hint = "add it under `apis`, or leave `safety.guardrails` out"
        problems.add(f"{words} is not mounted", path="safety.guardrails", hint=hint)


def note_unknown_shields(
    run: RunConfig, resources: Mapping[str, Sequence[BaseModel]], routed: Mapping[str, Api], noted: Problems
) -> None:
    """Shields that neither the run config nor a provider has. They may have been registered, so that this is no
    problem; where they were not, whoever registers one by such a name decides what it stops. resources: with those that
    providers serve without being told.
    """
    if _API not in routed:
        return
    known = [getattr(shield, _ID) for shield in resources.get(_REGISTRY, ())]
    for path, name in _named(run):
        if name not in known:
            words = f"the shield `{name}` is not one of this run config"
            hint = names_for(name, known) or "list it under `registered_resources.shields`"
            noted.add(f"{words}: without it, what needs it is refused", path=path, hint=hint)


def _named(run: RunConfig) -> Iterator[tuple[str, str]]:
    """The shields that the section names, each with its path."""
    if run.safety is None:
        return
    if run.safety.default_shield_id is not None:
        yield "safety.default_shield_id", run.safety.default_shield_id
    for way in ("input", "output"):
        for place, name in enumerate(getattr(run.safety.guardrails, way)):
            yield f"safety.guardrails.{way}[{place}]", name
