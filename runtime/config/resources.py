"""The resources that a run config registers: read by their models, and checked against the providers that own them.

Pure, and part of planning. Knows what every kind of resource declares (`Resource`), but no particular kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

from pydantic import BaseModel

from runtime.apis._api import Api
from runtime.apis._resources import ConfiguredKind, Resource
from runtime.config.document import child_path
from runtime.config.run_config import ResourceEntry, RunConfig
from runtime.config.validation import check, with_origin
from runtime.discovery import World
from runtime.errors import Problem
from runtime.similar import did_you_mean, names_for
from runtime.spec import Spec

ANY_PROVIDER = "all"
"""The `provider_id` of a resource that any provider may serve. It belongs to the first that is on, as in ogx."""

Read = tuple[ResourceEntry, BaseModel]


class Serving(Protocol):
    """A provider of a plan."""

    @property
    def api(self) -> str: ...
    @property
    def provider_id(self) -> str: ...
    @property
    def spec(self) -> Spec: ...
    @property
    def config(self) -> BaseModel: ...


@runtime_checkable
class ChecksResources(Protocol):
    """The settings of a provider that know which resources it can serve."""

    def wrong_with(self, given: BaseModel) -> Iterator[tuple[str, str, str | None]]:
        """What is wrong with a resource of the run config that the provider owns: field, message and hint."""
        ...


def registered(
    run: RunConfig, world: World, apis: Mapping[str, Api], providers: Sequence[Serving], *, file: str | None
) -> tuple[dict[str, tuple[BaseModel, ...]], list[Problem]]:
    """The resources that a run config registers, by the API that registers their kind, and the problems in them.
    apis: all of the world. providers: of the plan, defaults among them.
    """
    kinds = {kind.config_key: (name, kind) for name, api in apis.items() if (kind := api.configured) is not None}
    found: dict[str, tuple[BaseModel, ...]] = {}
    problems: list[Problem] = []
    for key, entries in run.registered_resources.items():
        if key in kinds:
            name, resource = kinds[key]
            read = list(_read(entries, resource, run, file, problems))
            found[name] = tuple(value for _, value in read)
            if "providers" not in run.unread:
                problems += [*_repeated(read, resource, run, file), *_without_owner(read, resource, run, world, file)]
                problems += _refused(read, [one for one in providers if one.api == resource.served_by], file)
        elif not world.is_open:
            path = f"registered_resources.{key}"
            message, hint = f"this version serves no {key}", did_you_mean(key, list(kinds)) or "remove them"
            problems.append(Problem(message=message, path=path, line=run.lines.get(path), file=file, hint=hint))
    problems += _providers_of_tables(run, apis, file)
    return found, sorted(problems, key=lambda problem: problem.line or 0)


def with_served(
    resources: Mapping[str, tuple[BaseModel, ...]], providers: Iterable[Serving], apis: Mapping[str, Api]
) -> dict[str, tuple[BaseModel, ...]]:
    """The resources of a run config, and those that its providers serve without being told (`Spec.serves`): where the
    run config lists a provider's under one of its names, it has the others too. Of several with the same name, one that
    has its key comes first. providers: in the order of the run config.
    """
    found = dict(resources)
    served_by = {kind.served_by: (name, kind) for name, api in apis.items() if (kind := api.resource) is not None}
    for provider in sorted(providers, key=_waits_for_a_key):
        if not provider.spec.serves:
            continue
        name, kind = served_by[provider.api]
        listed = {getattr(one, kind.id_field): one for one in found.get(name, ())}
        told = [listed[id] for id in provider.spec.serves if id in listed]
        ours = next((one for one in told if _provider_of(one) in (None, ANY_PROVIDER, provider.provider_id)), None)
        first = ours or kind.entry.model_validate(
            {kind.id_field: provider.spec.serves[0], "provider_id": provider.provider_id}
        )
        own = getattr(first, kind.provider_id_field, None) or getattr(first, kind.id_field)
        for id in provider.spec.serves:
            if id not in listed:
                made = first.model_copy(update={kind.id_field: id, kind.provider_id_field: own})
                found[name] = (*found.get(name, ()), made)
    return found


def _waits_for_a_key(provider: Serving) -> bool:
    """Whether it serves only callers that bring their key."""
    return provider.spec.key_env is not None and getattr(provider.config, "api_key", None) is None


def owner_of(value: BaseModel, provider_ids: Sequence[str]) -> str | None:
    """The provider that a registered resource belongs to, or None if that provider is off. provider_ids: in the order
    of the run config.
    """
    provider_id = _provider_of(value)
    if provider_id is None or provider_id == ANY_PROVIDER:
        return provider_ids[0] if provider_ids else None
    return provider_id if provider_id in provider_ids else None


def _read(
    entries: Sequence[ResourceEntry],
    resource: ConfiguredKind,
    run: RunConfig,
    file: str | None,
    problems: list[Problem],
) -> Iterator[Read]:
    for entry in entries:
        found: list[Problem] = []
        value = check(resource.entry, entry.node.without_nulls(), problems=found, file=file)
        problems.extend(with_origin(problem, run.uses) for problem in found)
        if value is not None:
            yield entry, value


def _repeated(read: Sequence[Read], resource: ConfiguredKind, run: RunConfig, file: str | None) -> Iterator[Problem]:
    """Names with two meanings. The same resource twice does no harm."""
    ids = _owners(resource, run)
    named: dict[str, tuple[ResourceEntry, object]] = {}
    for entry, value in read:
        if (owner := owner_of(value, ids)) is None:
            continue
        name, meaning = getattr(value, resource.id_field), _meaning(value, resource, owner)
        first, meant = named.setdefault(name, (entry, meaning))
        if meant != meaning:
            message = f"two {resource.called}s have the name `{name}`"
            yield _problem(entry, resource.id_field, message, f"the other is at {first.path}", file)


def _without_owner(
    read: Sequence[Read], resource: ConfiguredKind, run: RunConfig, world: World, file: str | None
) -> Iterator[Problem]:
    """Resources that do not name a provider of the run config; that provider's own settings may still be wrong. Who
    keeps a kind itself chooses a provider for one that names none.
    """
    ids = _owners(resource, run)
    off = {spec.name for entry in run.off if (spec := world.by_type.get((entry.api, entry.provider_type)))}
    off |= {entry.provider_id for entry in run.off}
    is_registered = isinstance(resource, Resource)
    for entry, value in read:
        called, provider_id = f"{resource.called} `{getattr(value, resource.id_field)}`", _provider_of(value)
        if provider_id is None and len(ids) > 1 and is_registered:
            message, hint = f"{called} names no provider, and there are several", f"one of {', '.join(ids)}"
            yield _problem(entry, "provider_id", message, hint, file)
        elif provider_id not in (None, *ids, *off) and not (provider_id == ANY_PROVIDER and is_registered):
            message = f"{called} names the provider `{provider_id}`, which is not configured"
            yield _problem(entry, "provider_id", message, names_for(str(provider_id), ids), file)


def _refused(read: Sequence[Read], owners: Sequence[Serving], file: str | None) -> Iterator[Problem]:
    """Resources that the settings of their provider do not fit."""
    for entry, value in read:
        id = owner_of(value, [owner.provider_id for owner in owners])
        config: object = next((owner.config for owner in owners if owner.provider_id == id), None)
        if isinstance(config, ChecksResources):
            for field, message, hint in config.wrong_with(value):
                yield _problem(entry, field, message, hint, file)


def _providers_of_tables(run: RunConfig, apis: Mapping[str, Api], file: str | None) -> Iterator[Problem]:
    """Providers of an API that cannot have any: it only registers what another API's providers serve."""
    for name in run.providers:
        resource = apis[name].resource if name in apis else None
        if resource is not None and resource.served_by != name:
            message, path = f"`{name}` is a table of resources and has no providers of its own", f"providers.{name}"
            hint = f"its providers are those of `{resource.served_by}`"
            yield Problem(message=message, path=path, line=run.lines.get(path), file=file, hint=hint)


def _meaning(value: BaseModel, resource: ConfiguredKind, owner: str) -> object:
    """What an entry means, to compare two of one name. One that its provider keeps, that says more than whose it is,
    or that depends on its provider's list (`auto`, or `<kind>_validation`), equals another only if all fields are
    equal.
    """
    if not isinstance(resource, Resource) or "metadata" not in type(value).model_fields:
        return value
    own = getattr(value, resource.provider_id_field, None)
    if own == "auto" or getattr(value, f"{resource.kind}_validation", None):
        return value
    return owner, own or getattr(value, resource.id_field)


def _owners(resource: ConfiguredKind, run: RunConfig) -> list[str]:
    return list(dict.fromkeys(entry.provider_id for entry in run.providers.get(resource.served_by, ())))


def _provider_of(value: BaseModel) -> str | None:
    provider_id: str | None = getattr(value, "provider_id", None)
    return provider_id


def _problem(entry: ResourceEntry, key: str, message: str, hint: str | None, file: str | None) -> Problem:
    return Problem(message=message, path=child_path(entry.path, key), line=entry.line_of(key), file=file, hint=hint)
