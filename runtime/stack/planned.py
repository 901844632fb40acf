"""The providers of a run config, each with its settings validated by its config model. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from runtime.apis._api import Api, Store
from runtime.config.provider_settings import config_model
from runtime.config.run_config import ProviderEntry, RunConfig
from runtime.config.secret_values import secrets_in
from runtime.config.validation import check
from runtime.discovery import World
from runtime.errors import ConfigInvalid, Problem
from runtime.redaction import redact
from runtime.similar import names_for
from runtime.spec import ProviderOf, Spec
from runtime.stack.api_relations import has_several

if TYPE_CHECKING:
    from runtime.http.network import Network


@dataclass(frozen=True, kw_only=True)
class PlannedProvider:
    """A provider to start: its API, its id, its spec and its validated settings. network: how its servers are reached;
    the `config` of any provider may have a `network` block. of_storage: the secrets of the storage that it is given,
    which its failures may quote.
    """

    api: str
    provider_id: str
    spec: Spec
    config: BaseModel
    network: Network | None = None
    of_storage: tuple[str, ...] = field(default=(), repr=False)

    def stores(self) -> list[Store]:
        """The stores that its spec names."""
        return stores_of(self.spec)

    def secrets(self) -> Iterator[str]:
        """Every secret in its settings and those of its storage, also those inside URLs."""
        yield from secrets_in(self.config)
        yield from secrets_in(self.network)
        yield from self.of_storage

    def shown(self) -> dict[str, Any]:
        """Its settings with masked secrets."""
        shown: dict[str, Any] = self.config.model_dump(mode="json", exclude_none=True)
        if self.network is not None:
            shown["network"] = self.network.model_dump(mode="json", exclude_none=True, exclude_unset=True)
        masked: dict[str, Any] = redact(shown)
        return masked


def stores_of(spec: Spec) -> list[Store]:
    """The stores that a spec names. What tables hold is called by the store's own name."""
    return [
        *(Store(name=name) for name in spec.stores),
        *(Store(name=name, families=("sql",), kinds=(name,)) for name in spec.tables),
    ]


class Problems:
    """The problems of a run config, each with its line."""

    def __init__(self, file: str | None, lines: Mapping[str, int]) -> None:
        self.file = file
        self.lines = lines
        self.found: list[Problem] = []

    def add(self, message: str, *, path: str = "", line: int | None = None, hint: str | None = None) -> None:
        line = line or self._line_of(path)
        self.found.append(Problem(message=message, path=path, line=line, hint=hint, file=self.file))

    def _line_of(self, path: str) -> int | None:
        """The line of a path; for a missing key, the line of the section that should have it."""
        while path and path not in self.lines:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self.lines.get(path)

    def raise_if_any(self) -> None:
        """Raises ConfigInvalid if there are any."""
        if self.found:
            raise ConfigInvalid(self.found, what="run config")


def chosen(
    run: RunConfig, world: World, apis: Mapping[str, Api], problems: Problems
) -> tuple[list[PlannedProvider], set[str]]:
    """The valid providers of the run config, and all APIs for which it names providers. apis: those of the world."""
    found: list[PlannedProvider] = []
    wanted: set[str] = set()
    seen: dict[tuple[str, str], str] = {}
    for api, entries in run.providers.items():
        if api not in apis:
            problems.add(f"there is no API `{api}`", path=f"providers.{api}", hint=names_for(api, apis))
            continue
        wanted.add(api)
        for entry in entries:
            spec = world.by_type.get((api, entry.provider_type))
            if spec is None:
                problems.add(
                    f"`{entry.provider_type}` is not a provider of {api}",
                    path=f"{entry.path}.provider_type",
                    line=entry.line,
                    hint=names_for(entry.provider_type, world.types_of(api)),
                )
                continue
            if (api, entry.provider_id) in seen:
                problems.add(
                    f"two providers of {api} have the id `{entry.provider_id}`",
                    path=f"{entry.path}.provider_id",
                    line=entry.line,
                    hint=f"the other is at {seen[api, entry.provider_id]}",
                )
                continue
            seen[api, entry.provider_id] = entry.path
            if (first := _other_of(api, entry, seen)) is not None and not has_several(api, apis):
                problems.add(
                    f"the API {api} can have only one provider, and already has `{first}`",
                    path=entry.path,
                    line=entry.line,
                    hint="remove one of them: a request cannot choose between them",
                )
                continue
            planned = _planned(spec, entry, problems)
            if planned is not None:
                found.append(planned)
    return found, wanted


def defaults(
    run: RunConfig,
    world: World,
    mounted: Mapping[str, Api],
    chosen: Sequence[PlannedProvider],
    problems: Problems,
) -> list[PlannedProvider]:
    """Providers with `default=True`, for mounted APIs without a provider in the run config."""
    served = {provider.api for provider in chosen}
    found = []
    for spec in world.specs:
        if spec.default and spec.api in mounted and spec.api not in served:
            section = run.tree.get(spec.section) if spec.section else None
            model = config_model(spec)
            config = (
                model()
                if section is None
                else check(model, section.without_nulls(), problems=problems.found, file=problems.file)
            )
            if config is not None:
                found.append(PlannedProvider(api=spec.api, provider_id=spec.api, spec=spec, config=config))
    return found


def check_named(run: RunConfig, providers: Sequence[PlannedProvider], problems: Problems) -> None:
    """Providers that the settings of others name must be in the run config, and on."""
    if "providers" in run.unread:
        return
    entries = {(entry.api, entry.provider_id): entry for of_api in run.providers.values() for entry in of_api}
    for provider in providers:
        entry = entries.get((provider.api, provider.provider_id))
        path = f"{entry.path}.config" if entry else provider.spec.section
        node = entry.config_node if entry else run.tree.get(provider.spec.section)
        for name, setting in type(provider.config).model_fields.items():
            at = node.get(name) if node else None
            for marked in setting.metadata if at is not None and not at.awaits else ():
                if isinstance(marked, ProviderOf):
                    _check_is_on(marked.api, getattr(provider.config, name), run, f"{path}.{name}", problems)


def _check_is_on(api: str, provider_id: str | None, run: RunConfig, path: str, problems: Problems) -> None:
    ids = [entry.provider_id for entry in run.providers.get(api, ())]
    if provider_id is None or provider_id in ids:
        return
    off = [entry for entry in run.off if entry.api == api and entry.provider_id == provider_id]
    variables = " and ".join(f"`{name}`" for entry in off for name in entry.enabled_by)
    problems.add(
        f"the provider `{provider_id}` of {api} is {'off' if off else 'not configured'}",
        path=path,
        hint=f"set {variables}, or name another one: {', '.join(ids)}" if variables else names_for(provider_id, ids),
    )


def _other_of(api: str, entry: ProviderEntry, seen: Mapping[tuple[str, str], str]) -> str | None:
    return next((other for of_api, other in seen if of_api == api and other != entry.provider_id), None)


def _planned(spec: Spec, entry: ProviderEntry, problems: Problems) -> PlannedProvider | None:
    """A provider with its settings; None, with problems added, if these are invalid. A config model with a `network` of
    its own takes less than others.
    """
    model, node = config_model(spec), entry.config_node.without_nulls()
    network: Network | None = None
    has_own = "network" in model.model_fields
    if (block := node.get("network")) is not None and not has_own:
        from runtime.http.network import Network  # not above: few run configs have a block, and it costs as much as one

        network = check(Network, block.without_nulls(), problems=problems.found, file=problems.file)
        node = node.without("network")
    config = check(model, node, problems=problems.found, file=problems.file)
    if has_own:
        network = getattr(config, "network", None)
    if config is None or (network is None and block is not None):
        return None
    return PlannedProvider(api=spec.api, provider_id=entry.provider_id, spec=spec, config=config, network=network)
