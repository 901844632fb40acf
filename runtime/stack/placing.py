"""Which stores a stack has, and whether the run config places each where it can be. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from runtime.apis._api import Api, Store
from runtime.config.document import Node
from runtime.config.run_config import RunConfig
from runtime.config.storage import OwnPlaces, misplaced_in, unfit_backends, unknown_kinds
from runtime.discovery import World
from runtime.stack.planned import PlannedProvider, Problems, stores_of
from runtime.storage.placement import STACK_STORES


def stores_of_stack(routed: Mapping[str, Api], providers: Iterable[PlannedProvider]) -> dict[str, Store]:
    """All stores, by name. Two that declare the same name share it."""
    declared = [*STACK_STORES, *(store for api in routed.values() for store in api.stores)]
    for provider in providers:
        declared += provider.stores()
    return {store.name: store for store in reversed(declared)}


def every_store(world: World) -> list[Store]:
    """All stores that any API, any provider or the stack itself has, whatever a run config mounts."""
    of_apis = [store for api in world.load_apis().values() for store in api.stores]
    return [*STACK_STORES, *of_apis, *(store for spec in world.specs for store in stores_of(spec))]


def analytics_of_stack(routed: Mapping[str, Api], providers: Iterable[PlannedProvider]) -> frozenset[str]:
    """The tables of analytics that age, by name."""
    of_apis = {name for api in routed.values() for name in api.analytics}
    return frozenset(of_apis.union(*(provider.spec.analytics for provider in providers)))


def every_ageing_kind(world: World) -> set[str]:
    """What is kept and can be too old, whatever a run config mounts."""
    of_apis = {name for api in world.load_apis().values() for name in api.analytics}
    return _ageing(every_store(world), of_apis.union(*(spec.analytics for spec in world.specs)))


def check_placement(
    run: RunConfig,
    world: World,
    stores: Mapping[str, Store],
    providers: Iterable[PlannedProvider],
    problems: Problems,
) -> None:
    """Stores, and the providers' own references, must be in backends that can hold them, and each store by itself."""
    if "storage" in run.unread:
        return
    problems.found.extend(unfit_backends(stores.values(), run.storage, run.lines, file=problems.file))
    places = OwnPlaces(run.storage, file=problems.file)
    problems.found.extend(places.of_stores(stores.values(), run.lines))
    problems.found.extend(unknown_kinds(run.storage, every_ageing_kind(world), run.lines, file=problems.file))
    entries = {(entry.api, entry.provider_id): entry for of_api in run.providers.values() for entry in of_api}
    for provider in providers:
        entry = entries.get((provider.api, provider.provider_id))
        node = entry.config_node if entry else Node({}, f"providers.{provider.api}")
        problems.found.extend(misplaced_in(provider.config, node, run.storage, file=problems.file))
        problems.found.extend(places.of_provider(provider.config, node))


def note_retention(run: RunConfig, stores: Mapping[str, Store], analytics: Iterable[str], noted: Problems) -> None:
    """Settings about what nothing keeps: harmless, but they have no effect."""
    kinds = _ageing(stores.values(), analytics)
    for kind in run.storage.retention:
        if kind not in kinds:
            noted.add("has no effect: nothing that is mounted keeps any", path=f"storage.retention.{kind}")


def _ageing(stores: Iterable[Store], analytics: Iterable[str]) -> set[str]:
    """The kinds of what they hold that can be too old."""
    ageing = (store for store in stores if "sql" in store.families and store.ages)
    return {kind for store in ageing for kind in store.kinds} | {*analytics}
