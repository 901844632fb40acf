"""The templates that come with the package: what each `templates/<name>/template.yaml` says.

Does not know which providers exist, nor how a template becomes a run config (`rendering`). Listing commands need names
and summaries quickly, so YAML is imported only when a template is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import runtime
from runtime.config.requirement import checked
from runtime.errors import ConfigInvalid, NotFound, Problem
from runtime.similar import names_for

ALL_REMOTE = "remote"
"""In a template's list of providers: every remote provider of that API which is not listed by name."""

_TEMPLATE = "template.yaml"
SHARED = "run.yaml.j2"
"""The Jinja file that renders every template; it is beside the templates' folders."""

_KEYS = (
    *("name", "summary", "providers", "models", "resources", "default_shield", "backends", "env"),
    "additional_pip_packages",
)
_BY_NAME = ("providers", "resources", "backends", "env")
"""Keys whose value has entries by name: one that extends another template says only those that differ."""
_PROVIDER_KEYS = ("provider_type", "provider_id", "config")


@dataclass(frozen=True, kw_only=True)
class TemplateSummary:
    """A template as a listing shows it."""

    name: str
    summary: str


@dataclass(frozen=True, kw_only=True)
class ProviderChoice:
    """One provider of a template: its type, or the word `remote`. config: replaces keys of the spec's sample. module:
    the package that brings it; only from an older `build.yaml`.
    """

    provider_type: str
    module: str | None = None
    provider_id: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Template:
    """The contents of a `template.yaml`. env: variables that users may set, each with its purpose. models: as in
    `registered_resources.models`; resources: the other lists there, by their keys; default_shield: as
    `safety.default_shield_id`, left out where no provider has it without being told; backends: as in
    `storage.backends`, empty for SQLite files; additional_pip_packages: as there, such as data that resources are from.
    folders: only from an older `build.yaml`; they describe external APIs and providers, by the keys of a run config.
    """

    name: str
    summary: str
    providers: Mapping[str, tuple[ProviderChoice, ...]]
    models: tuple[Mapping[str, Any], ...] = ()
    resources: Mapping[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)
    default_shield: str | None = None
    backends: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    additional_pip_packages: tuple[str, ...] = ()
    folders: Mapping[str, str] = field(default_factory=dict)


def find_templates_dir() -> Path:
    """The folder of all templates: in the installed package, or at the top of the source tree. Raises NotFound."""
    top = Path(runtime.__file__).parent.parent
    places = (top / "llama_cli" / "templates", top / "templates")
    for place in places:
        if (place / SHARED).is_file():
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


def purposes(*, first: str | None = None) -> dict[str, str]:
    """What variables are for, by name, as the templates say it; where two say it of one, as `first` does."""
    names = [name for name in template_names() if name != first]
    stated = [load_template(name).env for name in ([*names, first] if first else names)]
    return {variable: str(purpose) for env in stated for variable, purpose in env.items()}


def parse_template(text: str, *, file: str | None = None) -> Template:
    """The template in `text`, with what it `extends`: another template, or a file beside their folders that is none by
    itself. Raises ConfigInvalid with every problem.
    """
    problems: list[Problem] = []
    data = _read(text, file)
    for key in data:
        if key not in _KEYS:
            problems.append(Problem(message=f"unknown key `{key}`", path=str(key), file=file))
    for key in ("name", "summary", *(("default_shield",) if "default_shield" in data else ())):
        if not isinstance(data.get(key), str):
            problems.append(Problem(message="expected text", path=key, file=file))
    providers = {
        api: tuple(_choices(api, chosen, file, problems)) for api, chosen in (data.get("providers") or {}).items()
    }
    packages = tuple(_packages(data.get("additional_pip_packages") or (), file, problems))
    if problems:
        raise ConfigInvalid(problems, what="template")
    return Template(
        name=data["name"],
        summary=data["summary"],
        providers=providers,
        models=tuple(data.get("models") or ()),
        resources={key: tuple(listed or ()) for key, listed in (data.get("resources") or {}).items()},
        default_shield=data.get("default_shield"),
        backends=data.get("backends") or {},
        env=data.get("env") or {},
        additional_pip_packages=packages,
    )


def _read(text: str, file: str | None, *, extended_by: tuple[str, ...] = ()) -> dict[str, Any]:
    """A template's keys, over those of the one that it extends. Raises ConfigInvalid."""
    import yaml  # not above: see the module's docstring

    from runtime.config.document import FAST_LOADER

    def wrong(message: str, path: str = "") -> ConfigInvalid:
        return ConfigInvalid([Problem(message=message, path=path, file=file)], what="template")

    try:
        data = yaml.load(text, Loader=FAST_LOADER)  # noqa: S506  # a safe one
    except yaml.YAMLError as error:
        raise wrong(f"not valid YAML: {error}") from error
    if not isinstance(data, dict):
        raise wrong("expected a mapping")
    if "extends" not in data:
        return data
    name = data.pop("extends")
    path = _extended(name)
    if path is None:
        raise wrong(f"there is no `{name}` to extend", "extends")
    if name in extended_by:
        raise wrong(f"`{name}` extends itself", "extends")
    base = _read(path.read_text(encoding="utf-8"), str(path), extended_by=(*extended_by, name))
    inherited = {key: value for key, value in base.items() if key not in ("name", "summary")}
    merged = {**inherited, **data}
    for key in _BY_NAME:
        if isinstance(inherited.get(key), dict) and isinstance(data.get(key), dict):
            new = {name: one for name, one in data[key].items() if name not in inherited[key]}
            merged[key] = {**new, **{name: data[key].get(name, one) for name, one in inherited[key].items()}}
    return merged


def _extended(name: object) -> Path | None:
    if not isinstance(name, str) or Path(name).name != name:
        return None
    folder = find_templates_dir()
    places = (folder / name / _TEMPLATE, folder / f"{name}.yaml")
    return next((place for place in places if place.is_file()), None)


def _summary(path: Path) -> str:
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((line.removeprefix("summary:").strip() for line in lines if line.startswith("summary:")), "")


def _packages(listed: Any, file: str | None, problems: list[Problem]) -> Iterable[str]:
    path = "additional_pip_packages"
    if not isinstance(listed, list | tuple):
        problems.append(Problem(message="expected a list of requirements", path=path, file=file))
        return
    for index, item in enumerate(listed):
        try:
            yield checked(str(item))
        except ValueError as error:
            problems.append(Problem(message=str(error), path=f"{path}[{index}]", file=file))


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
