"""The distributions that come with us: `templates/<name>/template.yaml`, rendered into the text of a run config.

Knows how a provider's spec becomes an entry of `run.yaml`. Does not know which providers exist: the caller hands
their specs in. Names and summaries are read on listing paths, so Jinja and YAML are imported where a template is read
or rendered and not before. `${env.X}` stays as it is in what is rendered; `environment` reads it when a server starts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import runtime
from runtime.errors import ConfigInvalid, NotFound, Problem, names_for
from runtime.spec import Spec

ALL_REMOTE = "remote"
"""In a template's list of providers: every remote provider of that API which is not listed by name."""

_TEMPLATE = "template.yaml"
_SHARED = "run.yaml.j2"
_KEYS = ("name", "summary", "providers", "models", "env")
_PROVIDER_KEYS = ("provider_type", "provider_id", "config")


@dataclass(frozen=True, kw_only=True)
class TemplateSummary:
    """A template as a listing shows it."""

    name: str
    summary: str


@dataclass(frozen=True, kw_only=True)
class ProviderChoice:
    """One provider of a template: its type, or the word `remote`. config: laid over the spec's sample, key by key."""

    provider_type: str
    provider_id: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Template:
    """What a `template.yaml` says. env: variables that users set, with what they do; models: as in
    `registered_resources.models`; additional_pip_packages: only an older `build.yaml` has some.
    """

    name: str
    summary: str
    providers: Mapping[str, tuple[ProviderChoice, ...]]
    models: tuple[Mapping[str, Any], ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    additional_pip_packages: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RenderedProvider:
    """A provider as `run.yaml` lists it; provider_id may hold `${env.X:+id}`. turned_on_by: that X."""

    provider_id: str
    provider_type: str
    config: Mapping[str, Any]
    summary: str
    turned_on_by: str | None


def find_templates_dir() -> Path:
    """The folder of all templates: in the installed package, or at the top of the source tree. Raises NotFound."""
    top = Path(runtime.__file__).parent.parent
    places = (top / "llama_cli" / "templates", top / "templates")
    for place in places:
        if (place / _SHARED).is_file():
            return place
    raise NotFound("the templates are not installed", hint=f"looked at {' and '.join(str(place) for place in places)}")


def template_names() -> list[str]:
    """The names of all templates, sorted; no template is read."""
    return sorted(entry.name for entry in find_templates_dir().iterdir() if (entry / _TEMPLATE).is_file())


def template_summaries() -> list[TemplateSummary]:
    """Every template with its one-line summary. Finds the line `summary: ...` without a YAML parser."""
    folder = find_templates_dir()
    return [TemplateSummary(name=name, summary=_summary(folder / name / _TEMPLATE)) for name in template_names()]


def load_template(name: str) -> Template:
    """The template called `name`. Raises NotFound with close names, ConfigInvalid where the file is wrong."""
    names = template_names()
    if name not in names:
        raise NotFound(f"there is no template `{name}`", hint=names_for(name, names), code="template_not_found")
    path = find_templates_dir() / name / _TEMPLATE
    return parse_template(path.read_text(encoding="utf-8"), file=str(path))


def parse_template(text: str, *, file: str | None = None) -> Template:
    """The template in `text`. Raises ConfigInvalid with every problem."""
    import yaml  # not above: see the module's docstring

    problems: list[Problem] = []
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigInvalid([Problem(message=f"not valid YAML: {error}", file=file)], what="template") from error
    if not isinstance(data, dict):
        raise ConfigInvalid([Problem(message="expected a mapping", file=file)], what="template")
    for key in data:
        if key not in _KEYS:
            problems.append(Problem(message=f"unknown key `{key}`", path=str(key), file=file))
    for key in ("name", "summary"):
        if not isinstance(data.get(key), str):
            problems.append(Problem(message="expected text", path=key, file=file))
    providers = {
        api: tuple(_choices(api, chosen, file, problems)) for api, chosen in (data.get("providers") or {}).items()
    }
    if problems:
        raise ConfigInvalid(problems, what="template")
    return Template(
        name=data["name"],
        summary=data["summary"],
        providers=providers,
        models=tuple(data.get("models") or ()),
        env=data.get("env") or {},
    )


def render(
    name: str,
    *,
    specs: Sequence[Spec],
    providers: Mapping[str, Sequence[str]] | None = None,
    name_override: str | None = None,
) -> str:
    """The text of `run.yaml` for a template.

    specs: every provider there is (`discovery.specs()`). providers: provider types by API, in place of the template's
    for the APIs that are named; a provider that is named is on, those of the word `remote` each wait for their
    variable. name_override: the distribution's name. Raises NotFound for an unknown template, ConfigInvalid for every
    unknown API and provider type.
    """
    chosen = load_template(name)
    return render_template(
        chosen, specs=specs, providers=providers, name_override=name_override, folder=find_templates_dir()
    )


def render_template(
    chosen: Template,
    *,
    specs: Sequence[Spec],
    providers: Mapping[str, Sequence[str]] | None = None,
    name_override: str | None = None,
    folder: Path,
) -> str:
    """`render` for a template that was read already; folder: where `run.yaml.j2` is."""
    import jinja2  # not above: see the module's docstring

    replaced = {
        api: tuple(ProviderChoice(provider_type=kind) for kind in kinds) for api, kinds in (providers or {}).items()
    }
    by_api = _rendered({**chosen.providers, **replaced}, specs)
    used = {entry.provider_id for entries in by_api.values() for entry in entries}
    # A model whose provider was replaced would never be served.
    models = [model for model in chosen.models if not model.get("provider_id") or model["provider_id"] in used]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  # YAML, not HTML
    )
    environment.filters["yaml"] = _as_yaml
    return environment.get_template(_SHARED).render(
        name=name_override or chosen.name,
        template=chosen,
        providers=by_api,
        models=models,
        switches=_switches(by_api),
    )


def _summary(path: Path) -> str:
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((line.removeprefix("summary:").strip() for line in lines if line.startswith("summary:")), "")


def _choices(api: str, chosen: Any, file: str | None, problems: list[Problem]) -> Iterable[ProviderChoice]:
    if not isinstance(chosen, list):
        problems.append(Problem(message="expected a list of provider types", path=f"providers.{api}", file=file))
        return
    for index, item in enumerate(chosen):
        path = f"providers.{api}[{index}]"
        if isinstance(item, str):
            yield ProviderChoice(provider_type=item)
        elif isinstance(item, dict) and isinstance(item.get("provider_type"), str):
            unknown = [key for key in item if key not in _PROVIDER_KEYS]
            problems.extend(Problem(message=f"unknown key `{key}`", path=path, file=file) for key in unknown)
            yield ProviderChoice(
                provider_type=item["provider_type"],
                provider_id=item.get("provider_id"),
                config=item.get("config") or {},
            )
        else:
            problems.append(
                Problem(message="expected a provider type, or a mapping that has one", path=path, file=file)
            )


def _rendered(
    chosen: Mapping[str, Sequence[ProviderChoice]], specs: Sequence[Spec]
) -> dict[str, list[RenderedProvider]]:
    problems: list[Problem] = []
    rendered: dict[str, list[RenderedProvider]] = {}
    for api, choices in chosen.items():
        of_api = [spec for spec in specs if spec.api == api]
        if not of_api:
            problems.append(unknown_api(api, specs, path=f"providers.{api}"))
            continue
        entries: dict[str, RenderedProvider] = {}
        for spec, choice in _named_and_remote(api, choices, of_api, problems):
            provider_id = choice.provider_id or _free_id(spec, entries)
            entries[provider_id] = _entry(spec, choice, provider_id)
        rendered[api] = list(entries.values())
    if problems:
        raise ConfigInvalid(problems, what="choice of providers")
    return rendered


def _named_and_remote(
    api: str, choices: Sequence[ProviderChoice], of_api: Sequence[Spec], problems: list[Problem]
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
        else:
            problems.append(unknown_provider(choice.provider_type, api, of_api, path=f"providers.{api}"))
    return found


def unknown_api(name: str, specs: Sequence[Spec], *, path: str) -> Problem:
    """That providers were chosen for an API that has none, in the words of `plan`."""
    return Problem(message=f"there is no API `{name}`", path=path, hint=names_for(name, {spec.api for spec in specs}))


def unknown_provider(name: str, api: str, specs: Sequence[Spec], *, path: str) -> Problem:
    """The same for a provider type that an API has not."""
    known = [spec.provider_type for spec in specs if spec.api == api]
    return Problem(message=f"`{name}` is no provider of {api}", path=path, hint=names_for(name, known))


def _entry(spec: Spec, choice: ProviderChoice, provider_id: str) -> RenderedProvider:
    waits = choice.provider_type == ALL_REMOTE
    variable = (spec.enabled_by or f"ENABLE_{_shouted(spec.name)}") if waits else None
    return RenderedProvider(
        provider_id=f"${{env.{variable}:+{provider_id}}}" if variable else provider_id,
        provider_type=spec.provider_type,
        config={**spec.sample_config, **choice.config},
        summary=spec.summary,
        turned_on_by=variable,
    )


def _free_id(spec: Spec, taken: Mapping[str, object]) -> str:
    plain = spec.name.replace("::", "-")
    return plain if plain not in taken else f"{plain}-{spec.kind}"


def _shouted(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name).upper()


def _switches(providers: Mapping[str, Sequence[RenderedProvider]]) -> dict[str, list[str]]:
    """The variables that turn providers on, each with the types that it turns on."""
    switches: dict[str, list[str]] = {}
    for entries in providers.values():
        for entry in entries:
            if entry.turned_on_by:
                switches.setdefault(entry.turned_on_by, []).append(entry.provider_type)
    return switches


def _as_yaml(value: Any, indent: int = 0) -> str:
    """A value as YAML, each line after the first `indent` blanks in; a scalar in one line."""
    import yaml  # not above: see the module's docstring

    plain = _plain(value)
    text = yaml.safe_dump(plain, sort_keys=False, default_flow_style=False, width=10**6, allow_unicode=True)
    return text.removesuffix("\n...\n").rstrip("\n").replace("\n", "\n" + " " * indent)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(inner) for inner in value]
    return value
