"""A template rendered into the text of a run config.

Knows how a provider's spec becomes an entry of `run.yaml`. Does not know which providers exist: the caller passes
their specs. Jinja and YAML are imported only when something is rendered. `${env.X}` is written unchanged; it is
replaced when a server starts (`substitution`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtime.config.template import ALL_REMOTE, SHARED, ProviderChoice, Template, find_templates_dir, load_template
from runtime.errors import ConfigInvalid, Problem
from runtime.similar import names_for
from runtime.spec import Spec

if TYPE_CHECKING:
    from jinja2 import Environment


@dataclass(frozen=True, kw_only=True)
class RenderedProvider:
    """A provider as `run.yaml` lists it. provider_id: may be `${env.X:+id}`; turned_on_by is then X. module: the
    package that brings it.
    """

    provider_id: str
    provider_type: str
    module: str | None
    config: Mapping[str, Any]
    summary: str
    turned_on_by: str | None


def render(
    name: str,
    *,
    specs: Sequence[Spec],
    providers: Mapping[str, Sequence[str]] | None = None,
    name_override: str | None = None,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    port: int | None = None,
) -> str:
    """The text of `run.yaml` for a template.

    specs: all providers that exist (`discovery.built_in().specs`). providers: provider types by API, which replace the
    template's for those APIs. A provider that is named is always on; the word `remote` adds all remote providers, each
    turned on by its variable. name_override: the distribution's name. settings: more of providers' settings, by type.
    port: the one to listen on while no variable names another; 8321 unless given. Raises NotFound for an unknown
    template, ConfigInvalid for every unknown API and provider type.
    """
    chosen = load_template(name)
    return render_template(
        chosen,
        specs=specs,
        providers=providers,
        name_override=name_override,
        settings=settings,
        port=port,
        folder=find_templates_dir(),
    )


def render_template(
    chosen: Template,
    *,
    specs: Sequence[Spec],
    providers: Mapping[str, Sequence[str]] | None = None,
    name_override: str | None = None,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    port: int | None = None,
    folder: Path,
) -> str:
    """`render` for a template that was already read. folder: contains `run.yaml.j2`."""
    from runtime.config.substitution import when_set  # not above: see the module's docstring

    replaced = {
        api: tuple(ProviderChoice(provider_type=kind) for kind in kinds) for api, kinds in (providers or {}).items()
    }
    by_api = _rendered({**chosen.providers, **replaced}, specs, settings or {}, is_open=bool(chosen.folders))
    used = {entry.provider_id for entries in by_api.values() for entry in entries}

    def served(listed: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Without those of providers that were replaced. One that a variable turns on may be named as always on."""
        return [one for one in listed if not (id := one.get("provider_id")) or {id, when_set(id)} & used]

    resources = {key: found for key, listed in chosen.resources.items() if (found := served(listed))}
    return (
        _jinja(folder)
        .get_template(SHARED)
        .render(
            name=name_override or chosen.name,
            template=chosen,
            providers=by_api,
            models=served(chosen.models),
            resources=resources,
            default_shield=chosen.default_shield if _has_shield(chosen.default_shield, by_api, specs) else None,
            switches=_switches(by_api),
            port=port,
        )
    )


def _has_shield(shield_id: str | None, by_api: Mapping[str, list[RenderedProvider]], specs: Sequence[Spec]) -> bool:
    """Whether a provider has it without being told: the template's may have been replaced."""
    types = {entry.provider_type for entry in by_api.get("safety", ())}
    return any(shield_id in spec.serves for spec in specs if spec.api == "safety" and spec.provider_type in types)


@cache
def _jinja(folder: Path) -> Environment:
    """Compiles each of a folder's templates once."""
    import jinja2  # not above: see the module's docstring

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  # YAML, not HTML
    )
    environment.filters["yaml"] = _as_yaml
    return environment


def sample(spec: Spec) -> str:
    """A provider as a template has it in `run.yaml`: a remote one is turned on by its variable."""
    kind = ALL_REMOTE if spec.kind == "remote" else spec.provider_type
    entry = _entry(spec, ProviderChoice(provider_type=kind), spec.name)
    shown = {"provider_id": entry.provider_id, "provider_type": entry.provider_type}
    return _as_yaml({"providers": {spec.api: [shown | ({"config": entry.config} if entry.config else {})]}}) + "\n"


def _rendered(
    chosen: Mapping[str, Sequence[ProviderChoice]],
    specs: Sequence[Spec],
    settings: Mapping[str, Mapping[str, Any]],
    *,
    is_open: bool,
) -> dict[str, list[RenderedProvider]]:
    """is_open: whether there may be APIs and providers that have no spec."""
    problems: list[Problem] = []
    rendered: dict[str, list[RenderedProvider]] = {}
    for api, choices in chosen.items():
        of_api = [spec for spec in specs if spec.api == api]
        if not of_api and not is_open and not any(choice.module for choice in choices):
            problems.append(unknown_api(api, specs, path=f"providers.{api}"))
            continue
        entries: dict[str, RenderedProvider] = {}
        for spec, choice in _named_and_remote(api, choices, of_api, problems, is_open=is_open):
            provider_id = choice.provider_id or _free_id(spec, entries)
            more = {**choice.config, **settings.get(spec.provider_type, {})}
            entries[provider_id] = _entry(spec, replace(choice, config=more), provider_id)
        rendered[api] = list(entries.values())
    if problems:
        raise ConfigInvalid(problems, what="choice of providers")
    return rendered


def _named_and_remote(
    api: str, choices: Sequence[ProviderChoice], of_api: Sequence[Spec], problems: list[Problem], *, is_open: bool
) -> list[tuple[Spec, ProviderChoice]]:
    by_type = {kind: spec for spec in of_api for kind in (*spec.aliases, spec.provider_type)}
    named = {by_type[choice.provider_type].provider_type for choice in choices if choice.provider_type in by_type}
    found: list[tuple[Spec, ProviderChoice]] = []
    for choice in choices:
        if choice.provider_type == ALL_REMOTE:
            others = [spec for spec in of_api if spec.kind == "remote" and spec.provider_type not in named]
            found += [(spec, choice) for spec in others]
        elif choice.provider_type in by_type:
            found.append((by_type[choice.provider_type], choice))
        elif (choice.module or is_open) and "::" in choice.provider_type:
            external = Spec(api=api, provider_type=choice.provider_type, summary="", adapter="")
            found.append((external, choice))
        else:
            problems.append(unknown_provider(choice.provider_type, api, of_api, path=f"providers.{api}"))
    return found


def unknown_api(name: str, specs: Sequence[Spec], *, path: str) -> Problem:
    """The problem that an API does not exist, worded as in `plan`."""
    return Problem(message=f"there is no API `{name}`", path=path, hint=names_for(name, {spec.api for spec in specs}))


def unknown_provider(name: str, api: str, specs: Sequence[Spec], *, path: str) -> Problem:
    """The problem that an API has no such provider type, worded as in `plan`."""
    known = [spec.provider_type for spec in specs if spec.api == api]
    return Problem(message=f"`{name}` is not a provider of {api}", path=path, hint=names_for(name, known))


def _entry(spec: Spec, choice: ProviderChoice, provider_id: str) -> RenderedProvider:
    waits = choice.provider_type == ALL_REMOTE
    variable = (spec.enabled_by or f"ENABLE_{_as_variable(spec.name)}") if waits else None
    return RenderedProvider(
        provider_id=f"${{env.{variable}:+{provider_id}}}" if variable else provider_id,
        provider_type=spec.provider_type,
        module=choice.module,
        config={**spec.sample_config, **choice.config},
        summary=spec.summary,
        turned_on_by=variable,
    )


def _free_id(spec: Spec, taken: Mapping[str, object]) -> str:
    return spec.name if spec.name not in taken else f"{spec.name}-{spec.kind}"


def _as_variable(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name).upper()


def _switches(providers: Mapping[str, Sequence[RenderedProvider]]) -> dict[str, list[str]]:
    """The variables that turn providers on, each with the provider types that it turns on."""
    switches: dict[str, list[str]] = {}
    for entries in providers.values():
        for entry in entries:
            if entry.turned_on_by:
                switches.setdefault(entry.turned_on_by, []).append(entry.provider_type)
    return switches


def _as_yaml(value: Any, indent: int = 0) -> str:
    """A value as YAML, every line but the first indented by `indent` blanks; a scalar on one line."""
    from runtime.config.yaml_text import as_yaml  # not above: see the module's docstring

    text = as_yaml(_plain(value), default_flow_style=False, width=10**6)
    return text.removesuffix("\n...\n").rstrip("\n").replace("\n", "\n" + " " * indent)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(inner) for inner in value]
    return value
