"""Which APIs of a plan are made at once where a stack is made by need: those of which its user chose providers or
resources, with all that these use. What comes by default beside them waits until it is asked for. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from runtime.apis._api import Api
from runtime.config.run_config import RunConfig
from runtime.stack.api_relations import is_registry, registry_of
from runtime.stack.plan import Plan


def made_at_once(plan: Plan, run: RunConfig) -> frozenset[str]:
    """The names of the APIs that do not wait, inner ones included. All of them where the run config limits how long
    things are kept: what is too old is removed wherever it is.
    """
    routed = {**plan.apis, **plan.inner_apis}
    if run.storage.retention:
        return frozenset(routed)
    found: set[str] = set()
    reached = {
        name for name, api in routed.items() if api.always or run.providers.get(name) or plan.resources.get(name)
    }
    while reached:
        found |= reached
        reached = {other for name in reached for other in _used_by(name, plan, routed)} - found
    return frozenset(found)


def _used_by(name: str, plan: Plan, routed: Mapping[str, Api]) -> Iterator[str]:
    """The APIs that go with one: those its providers name, the one that registers what they own, and the one whose
    providers own what it registers.
    """
    for planned in plan.of(name):
        yield from (other for other in (*planned.spec.needs, *planned.spec.may_use) if other in routed)
    if (registry := registry_of(name, routed)) is not None:
        yield registry.name
    if is_registry(api := routed[name]) and api.resource is not None and api.resource.served_by in routed:
        yield api.resource.served_by
