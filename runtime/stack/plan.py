"""Decides what a stack starts, in which order, and which packages it needs; or reports everything that is wrong. Starts
nothing itself.

Pure: makes a `Plan` from a run config and the specs, or raises ConfigInvalid with all problems. `stack.py` executes the
plan.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from runtime.apis._api import Api, Store
from runtime.config.external import FindWorld
from runtime.config.loading import parse_run_config
from runtime.config.reading import as_warning
from runtime.config.resources import registered, with_served
from runtime.config.run_config import ProviderEntry, RunConfig
from runtime.config.secret_values import secrets_in
from runtime.config.text import read_text, shown
from runtime.config.validation import with_origin
from runtime.discovery import World
from runtime.errors import ConfigInvalid, Problem
from runtime.similar import did_you_mean, names_for, nearest
from runtime.stack.api_relations import is_registry, registry_of
from runtime.stack.guardrails import check_guardrails, note_unknown_shields
from runtime.stack.in_replay import packages_of
from runtime.stack.order import cycles, in_order
from runtime.stack.placing import analytics_of_stack, check_placement, note_retention, stores_of_stack
from runtime.stack.planned import PlannedProvider, Problems, check_named, chosen, defaults

_MANY_TYPES = 8
"""A message lists no more types of providers."""


@dataclass(frozen=True, kw_only=True)
class OffProvider:
    """A provider of the run config that is not started, and the variables that would turn it on. provider_id: the id
    that it would have, or empty if the file does not give one.
    """

    api: str
    provider_id: str
    provider_type: str
    enabled_by: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to start. world: the APIs and providers that it was made from. providers: in the order of their needs. apis:
    the mounted APIs, by name. inner_apis: APIs that are not mounted but used by providers. packages: requirements
    beyond ours. resources: those of the run config, by the API of their kind. stores: the stores of APIs, providers and
    the stack, by name. analytics: their tables of analytics that age. noted: settings without effect here; `warnings`
    in words. of_config: the secrets in the run config.
    """

    world: World
    apis: Mapping[str, Api]
    providers: tuple[PlannedProvider, ...]
    off: tuple[OffProvider, ...]
    packages: tuple[str, ...]
    packages_in_replay: tuple[str, ...]
    inner_apis: Mapping[str, Api] = field(default_factory=dict)
    resources: Mapping[str, tuple[BaseModel, ...]] = field(default_factory=dict)
    stores: Mapping[str, Store] = field(default_factory=dict)
    analytics: frozenset[str] = frozenset()
    noted: tuple[Problem, ...] = ()
    of_config: tuple[str, ...] = field(default=(), repr=False)

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(map(as_warning, self.noted))

    def of(self, api: str) -> tuple[PlannedProvider, ...]:
        return tuple(provider for provider in self.providers if provider.api == api)

    def turned_on_by(self, api: str | None = None) -> dict[str, str]:
        """The ids of the providers that are off, of all APIs or of one, each with how to turn it on."""
        return {
            off.provider_id: f"set {' and '.join(off.enabled_by)}"
            for off in self.off
            if off.provider_id and off.enabled_by and api in (None, off.api)
        }

    def would_serve(self, api: str) -> dict[str, str]:
        """The resources that providers of an API have without being told while they are on, and that are off: each with
        how to turn on one that has it.
        """
        found: defaultdict[str, list[str]] = defaultdict(list)
        for off in self.off:
            spec = self.world.by_type.get((api, off.provider_type)) if off.api == api and off.enabled_by else None
            for name in spec.serves if spec else ():
                found[name].append(" and ".join(off.enabled_by))
        return {name: f"set {' or '.join(dict.fromkeys(variables))}" for name, variables in found.items()}

    def secrets(self) -> Iterator[str]:
        """Every secret in the run config and in its providers' settings, once, so that they can be masked."""
        of_providers = (secret for provider in self.providers for secret in provider.secrets())
        yield from dict.fromkeys([*self.of_config, *of_providers])


def plan(run: RunConfig, *, world: World | None = None, file: str | None = None) -> Plan:
    """The plan for a run config. world: the APIs and providers that exist; by default those it was read with. file: its
    path, for messages. Raises ConfigInvalid with every problem.
    """
    world = world or run.world
    problems = Problems(file or run.file, run.lines)
    apis = world.load_apis()
    providers, wanted = chosen(run, world, apis, problems)
    mounted = _mounted(run, apis, wanted, {provider.api for provider in providers}, problems)
    routed = dict(mounted)
    providers += defaults(run, world, routed, providers, problems)
    while inner := _inner(providers, routed, apis):
        routed |= inner
        providers += defaults(run, world, routed, providers, problems)
    _check_needs(world, providers, mounted, routed, _refused(run, world, problems), problems)
    check_guardrails(run, routed, problems)
    check_named(run, providers, problems)
    resources, found = registered(run, world, apis, providers, file=problems.file)
    problems.found.extend(found)
    stores = stores_of_stack(routed, providers)
    check_placement(run, world, stores, providers, problems)
    ordered = _in_order(providers, problems)
    problems.found = [with_origin(problem, run.uses) for problem in problems.found]
    problems.raise_if_any()
    noted = Problems(problems.file, run.lines)
    noted.found.extend(world.notes)
    _note_sections(run, world, routed, noted)
    _note_resources(resources, ordered, apis, routed, noted)
    _note_never_on(run, world, noted)
    analytics = analytics_of_stack(routed, providers)
    of_storage = tuple(secrets_in(run.storage))
    note_retention(run, stores, analytics, noted)
    served = with_served(resources, ordered, apis)
    note_unknown_shields(run, served, routed, noted)
    return Plan(
        world=world,
        apis=mounted,
        providers=tuple(replace(provider, of_storage=of_storage) for provider in ordered),
        off=tuple(_off(run.off)),
        packages=_packages([one.spec.packages for one in ordered], run.storage.packages(), run, world),
        packages_in_replay=_packages(
            [packages_of(one.spec, apis[one.api]) for one in ordered], run.storage.within(Path()).packages(), run, world
        ),
        inner_apis={name: api for name, api in routed.items() if name not in mounted},
        resources=served,
        stores=stores,
        analytics=analytics,
        noted=tuple(noted.found),
        of_config=tuple(secrets_in(run)),
    )


def read_run_config(
    path: Path | str,
    env: Mapping[str, str],
    *,
    text: str | None = None,
    to_build: bool = False,
    folder: Path | None = None,
    find_world: FindWorld | None = None,
) -> RunConfig:
    """`parse_run_config` of a file. text: its contents, if they were already read; `path` is then only for messages.
    to_build, folder, find_world: as in `parse_run_config`; by default the folder that `path` lies in, and what the file
    names is imported.

    Raises ConfigInvalid, which reports unknown APIs and providers also if other things are wrong.
    """
    if find_world is None:
        from runtime.external.installed import installed_world  # not above: the command line has a world of its own

        find_world = installed_world
    text = read_text(path, what="run config") if text is None else text
    try:
        return parse_run_config(
            text,
            file=shown(path),
            env=env,
            to_build=to_build,
            folder=folder or Path(path).absolute().parent,
            find_world=find_world,
        )
    except ConfigInvalid as first:
        if not isinstance(first.sound, RunConfig):
            raise
        try:
            plan(first.sound)
        except ConfigInvalid as second:
            reported = {problem.path for problem in first.problems}
            entries = [entry.path for of_kind in first.sound.registered_resources.values() for entry in of_kind]
            known = ("providers.", "apis[", "registered_resources.", "storage.", *entries)
            more = [one for one in second.problems if one.path.startswith(known) and one.path not in reported]
            both = sorted([*first.problems, *more], key=lambda problem: problem.line or 0)
            raise ConfigInvalid(both, what="run config", sound=first.sound) from None
        raise


def check_required(required: Iterable[str], planned: Plan) -> None:
    """Raises ConfigInvalid for a required provider that is off or not in the run config. A name is a provider id, or
    `api/provider_id` if several APIs use the id.
    """
    ids = list(dict.fromkeys(provider.provider_id for provider in planned.providers))
    full = {f"{provider.api}/{provider.provider_id}" for provider in planned.providers}
    off = {provider.provider_type.rpartition("::")[2]: ", ".join(provider.enabled_by) for provider in planned.off}
    problems = []
    for name in required:
        if name in ids or name in full:
            continue
        meant = next(iter(nearest(name, [*ids, *off])), None)
        if off.get(name):
            hint: str | None = f"it is off: set {off[name]}"
        elif meant is not None and off.get(meant):
            hint = f"did you mean `{meant}`? it is off: set {off[meant]}"
        else:
            hint = names_for(name, ids)
        message = f"the required provider `{name}` is not configured"
        problems.append(Problem(message=message, path="--require", hint=hint))
    if problems:
        raise ConfigInvalid(problems, what="choice")


def _mounted(
    run: RunConfig, apis: Mapping[str, Api], wanted: set[str], served: set[str], problems: Problems
) -> dict[str, Api]:
    """The APIs to serve: those listed, or else those with providers; and the APIs that come with them. wanted: those
    for which the run config has a list of providers; served: those for which it has one.
    """
    if run.apis:
        for place, name in enumerate(run.apis):
            if name not in apis:
                problems.add(f"there is no API `{name}`", path=f"apis[{place}]", hint=names_for(name, apis))
        names = {name for name in run.apis if name in apis}
    else:
        names = wanted | {name for name, api in apis.items() if api.offered_with and served >= {*api.offered_with}}
    names |= {name for name, api in apis.items() if api.always}
    while more := {name for name, api in apis.items() if name not in names and names & set(api.mounted_with)}:
        names |= more
    names |= {registry.name for name in tuple(names) if (registry := registry_of(name, apis)) is not None}
    return {name: apis[name] for name in sorted(names)}


def _inner(providers: Sequence[PlannedProvider], routed: Mapping[str, Api], apis: Mapping[str, Api]) -> dict[str, Api]:
    """The APIs that providers use and that are not routed yet, and those that register their resources."""
    served = {provider.api for provider in providers}
    used = {
        name for name in _named(providers, "may_use") if name in served or (name in apis and is_registry(apis[name]))
    }
    asked = (_named(providers, "needs") | used) & apis.keys()
    asked |= {registry.name for name in asked if (registry := registry_of(name, apis)) is not None}
    return {name: apis[name] for name in sorted(asked - routed.keys())}


def _refused(run: RunConfig, world: World, problems: Problems) -> set[str]:
    """The APIs whose providers the run config has, by name or by default; those that are not planned have a problem."""
    wrong = {problem.path.partition(".")[0] for problem in problems.found}
    return {api for api, entries in run.providers.items() if entries} | {
        spec.api for spec in world.specs if spec.section and spec.section in wrong
    }


def _check_needs(
    world: World,
    providers: Sequence[PlannedProvider],
    mounted: Mapping[str, Api],
    routed: Mapping[str, Api],
    refused: set[str],
    problems: Problems,
) -> None:
    """refused: APIs that would have a provider if nothing were wrong with it."""
    served = {provider.api for provider in providers} | {name for name, api in routed.items() if is_registry(api)}
    served |= refused
    for provider in providers:
        for need in provider.spec.needs:
            if need not in served:
                known = world.types_of(need)
                types = ", ".join(known[:_MANY_TYPES]) or "none exists yet"
                if len(known) > _MANY_TYPES:
                    types = f"`llama stack list-providers {need}` lists them"
                problems.add(
                    f"`{provider.provider_id}` needs the API {need}, which has no provider",
                    path=f"providers.{provider.api}",
                    hint=f"add one under providers.{need}: {types}",
                )
    for name in mounted:
        if name not in served and not world.types_of(name) and not world.is_open:
            problems.add(f"nothing implements the API {name}", path="apis")
        elif name not in served and registry_of(name, mounted) is None and not world.is_open:
            problems.add(
                f"the API {name} is listed but has no provider", path="apis", hint=f"add one under providers.{name}"
            )


def _in_order(providers: Sequence[PlannedProvider], problems: Problems) -> list[PlannedProvider]:
    """Providers after those whose API they need, and after those whose API they may use, unless needs prevent it.

    A cycle of needs is a problem, with the APIs of the cycle in its message.
    """
    by_api: dict[str, list[PlannedProvider]] = {}
    for provider in providers:
        by_api.setdefault(provider.api, []).append(provider)
    needs = {api: _named(of_api, "needs") & by_api.keys() for api, of_api in by_api.items()}
    for cycle in cycles(needs):
        problems.add(
            f"these APIs need each other: {' -> '.join(cycle)}",
            path="providers",
            hint="remove one of their providers",
        )
    uses = {api: _named(of_api, "may_use") & by_api.keys() for api, of_api in by_api.items()}
    return [provider for api in in_order(needs, uses) for provider in by_api[api]]


def _named(providers: Iterable[PlannedProvider], field: Literal["needs", "may_use"]) -> set[str]:
    return {name for provider in providers for name in getattr(provider.spec, field)}


def _packages(
    of_providers: Iterable[tuple[str, ...]], of_storage: tuple[str, ...], run: RunConfig, world: World
) -> tuple[str, ...]:
    named = chain(*of_providers, of_storage, run.to_send, run.additional_pip_packages, world.packages)
    return tuple(sorted(set(named)))


def _note_sections(run: RunConfig, world: World, routed: Mapping[str, Api], noted: Problems) -> None:
    """Settings of APIs that are not mounted: harmless, but they have no effect."""
    read_by = {spec.section: spec.api for spec in world.specs if spec.section}
    read_by |= {api.section: name for name, api in world.load_apis().items() if api.section == name}
    for section, api in read_by.items():
        if getattr(run, section) and api not in routed:
            noted.add(f"has no effect: the API {api} is not mounted", path=section)


def _note_resources(
    resources: Mapping[str, Sequence[BaseModel]],
    providers: Sequence[PlannedProvider],
    apis: Mapping[str, Api],
    routed: Mapping[str, Api],
    noted: Problems,
) -> None:
    """Resources of an API that has no provider that is on, or is not mounted."""
    served = {provider.api for provider in providers}
    for name, entries in resources.items():
        kind = apis[name].configured
        if not entries or kind is None:
            continue
        if kind.served_by not in served:
            why = f"no provider of {kind.served_by} is on"
        elif name not in routed:
            why = f"the API {name} is not mounted"
        else:
            continue
        noted.add(f"has no effect: {why}", path=f"registered_resources.{kind.config_key}")


def _note_never_on(run: RunConfig, world: World, noted: Problems) -> None:
    """Providers that are off and cannot be turned on, since this version does not have them."""
    for entry in run.off:
        if entry.api in world.api_names and (entry.api, entry.provider_type) not in world.by_type:
            words = f"`{entry.provider_type}` is off, and this version has no such provider of {entry.api}"
            noted.add(
                words,
                path=entry.path,
                line=entry.line,
                hint=did_you_mean(entry.provider_type, world.types_of(entry.api)),
            )


def _off(entries: Iterable[ProviderEntry]) -> Iterable[OffProvider]:
    for entry in entries:
        yield OffProvider(
            api=entry.api,
            provider_id=entry.provider_id,
            provider_type=entry.provider_type,
            enabled_by=entry.enabled_by,
        )
