"""The APIs and providers that exist for a run config, where its packages are installed: they are imported.

A package that cannot be imported takes nothing else with it. What would have come from it is planned as `standing_in`
has it, so that health and listings name the package and the reason, and it is noted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from runtime import discovery
from runtime.apis._api import Api
from runtime.config.external import External, NamedProvider
from runtime.config.requirement import name_of
from runtime.discovery import World
from runtime.errors import Problem
from runtime.external import llama_stack, standing_in
from runtime.external.folders import (
    DescribedApi,
    DescribedProvider,
    ProviderFile,
    described_apis,
    described_providers,
)
from runtime.external.importing import Broken, importing
from runtime.external.packages import entry_points, imported, module_named, modules_of, spec_of_file, specs_in
from runtime.external.spec_checks import check_operations, wrong_with
from runtime.similar import names_for
from runtime.spec import Spec
from runtime.stdio import one_line


@dataclass(kw_only=True)
class _Found:
    """What has been found so far. wanted: what the run config has, by API and type. broken: why packages give nothing
    that could have brought any type.
    """

    file: str | None
    wanted: frozenset[tuple[str, str]]
    apis: dict[str, Api] = field(default_factory=dict)
    specs: dict[tuple[str, str], Spec] = field(default_factory=dict)
    notes: list[Problem] = field(default_factory=list)
    packages: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def has_another(self, spec: Spec) -> bool:
        """Whether a provider of the same API and type can be used: of another package, or of ours."""
        key = (spec.api, spec.provider_type)
        other = self.specs.get(key) or discovery.built_in().by_type.get(key)
        return other is not None and not standing_in.is_refused(other)

    def note(self, message: str, *, path: str = "", line: int | None = None, file: str | None = None) -> None:
        self.notes.append(Problem(message=message, path=path, file=file or self.file, line=line))


def installed_world(named: External) -> World:
    """Everything of this package, the packages that the run config names, those installed beside us that say so by an
    entry point, and what its folders describe. Never raises for what is wrong with one of them.
    """
    found = _Found(file=named.file, wanted=frozenset((one.api, one.provider_type) for one in named.providers))
    built_in = discovery.built_in()
    for described in described_apis(named.apis_dir, found.notes) if named.apis_dir else ():
        _add_api(found, described)
    names = {*built_in.api_names, *found.apis}
    for package, reference in entry_points():
        try:
            with importing(package):
                _add(found, specs_in(imported(reference)), package, names)
        except Broken as why:
            found.broken.append(f"the package `{package}` {why}")
            found.note(found.broken[-1], path=package)
    for provider in described_providers(named.providers_dir, found.notes, names) if named.providers_dir else ():
        _add_described(found, provider, names)
    by_module = defaultdict[str, list[NamedProvider]](list)
    for wanted in named.providers:
        if wanted.module and standing_in.is_type(wanted.provider_type):
            by_module[wanted.module].append(wanted)
    for module, of_module in by_module.items():
        _add_named(found, module, of_module, names)
    _stand_in_for_broken(found, named, built_in)
    for api, _ in found.specs:
        if api not in names:
            found.apis[api] = standing_in.unknown_api(api)
    for key in found.specs.keys() & {(spec.api, spec.provider_type) for spec in built_in.specs}:
        package = found.specs[key].package
        found.note(f"`{key[1]}` of {key[0]} is the one of `{package}`, in place of ours", path=package)
    return built_in.beside(
        found.apis.values(), found.specs.values(), notes=dict.fromkeys(found.notes), packages=found.packages
    )


def _add(
    found: _Found,
    specs: Iterable[Spec],
    package: str,
    names: Iterable[str],
    *,
    packages: Sequence[str] = (),
    is_named: bool = False,
) -> None:
    """Add the specs of a package; those that cannot be used are noted, and refused where they are configured and
    nothing else has them. packages: what they need beside what they say. is_named: whether the run config says that
    its providers are of this package.
    """
    for spec in specs:
        if (wrong := wrong_with(spec, names)) is not None:
            why = f"`{spec.provider_type}` of the package `{package}` {wrong}"
            found.note(why, path=package)
            spec = replace(standing_in.refused(spec.api, spec.provider_type, package, why), packages=())
            if not is_named and found.has_another(spec):
                continue
            if spec.api not in names and (spec.api, spec.provider_type) not in found.wanted:
                continue
        key = (spec.api, spec.provider_type)
        other = found.specs.get(key)
        if other is not None and not standing_in.is_refused(other):
            brings = f"comes with `{other.package}` and with `{package}`, which is taken"
            found.note(f"`{key[1]}` of {key[0]} {brings}", path=package)
        found.specs[key] = replace(spec, package=package, packages=(*spec.packages, *packages))


def _add_named(found: _Found, module: str, wanted: list[NamedProvider], names: Iterable[str]) -> None:
    """The providers that the run config says are of this package; one that it does not have is refused."""
    package = name_of(module)
    why = ""
    given: dict[tuple[str, str], Spec] = {}
    try:
        with importing(package):
            entries = [imported(reference) for reference in modules_of(package)]
            for spec in [
                spec for entry in entries or [module_named(package.replace("-", "_"))] for spec in specs_in(entry)
            ]:
                given[spec.api, spec.provider_type] = spec
            _add(found, given.values(), package, names, packages=[module], is_named=True)
    except Broken as error:
        why = f"the package `{package}` {error}"
    for one in wanted:
        if not why and (one.api, one.provider_type) in given:
            continue
        reason = why or f"the package `{package}` {_lacks(one, given)}"
        found.note(reason, path=one.path, line=one.line)
        found.specs[one.api, one.provider_type] = standing_in.refused(one.api, one.provider_type, module, reason)


def _lacks(one: NamedProvider, given: Iterable[tuple[str, str]]) -> str:
    if ("", one.provider_type) in given:
        return f"does not say of which API its `{one.provider_type}` is: give its spec `api={one.api!r}`"
    of_api = [kind for api, kind in given if api == one.api]
    others = names_for(one.provider_type, of_api) if of_api else _listed(given)
    return f"has no `{one.provider_type}` of {one.api} ({others})"


def _listed(given: Iterable[tuple[str, str]]) -> str:
    return "it has " + (", ".join(f"`{kind}` of {one_line(api)}" for api, kind in given) or "none at all")


def _add_described(found: _Found, described: DescribedProvider, names: Iterable[str]) -> None:
    settings = described.settings
    if settings is None:
        spec = standing_in.undescribed(described)
        if not described.is_near or not found.has_another(spec):
            found.specs[spec.api, spec.provider_type] = spec
        return
    package = settings.module
    try:
        with importing(package):
            one = _described_spec(found, described, settings)
            _add(found, [one], package, names, packages=settings.pip_packages, is_named=True)
    except Broken as error:
        why = f"the module `{package}` {error}"
        found.note(why, file=str(described.file))
        spec = standing_in.refused(described.api, described.provider_type, package, why)
        found.specs[described.api, described.provider_type] = replace(spec, packages=tuple(settings.pip_packages))


def _described_spec(found: _Found, described: DescribedProvider, settings: ProviderFile) -> Spec:
    """The one spec that a file is about. What the file says that its module says too is noted. Raises Broken."""
    file, module = described.file, imported(settings.module)
    if llama_stack.makes_them(module):
        given = [spec_of_file(described)]
    else:
        given = specs_in(module)
        for name in settings.without_effect():
            message = f"`{name}` has no effect: the module `{settings.module}` states its own spec"
            found.note(message, file=str(file))
    chosen = [spec for spec in given if spec.provider_type == described.provider_type] or given
    if len(chosen) != 1:
        raise Broken(f"has no `{described.provider_type}` of {described.api} ({_listed(_keys(given))})")
    spec = replace(chosen[0], provider_type=described.provider_type)
    if spec.api not in ("", described.api):
        raise Broken(f"is a provider of {spec.api}, and {file} stands below `{described.api}`")
    return replace(spec, api=described.api)


def _keys(specs: Iterable[Spec]) -> list[tuple[str, str]]:
    return [(spec.api, spec.provider_type) for spec in specs]


def _add_api(found: _Found, described: DescribedApi) -> None:
    name, module = described.settings.name, described.settings.module
    found.packages += described.settings.pip_packages
    try:
        with importing(module):
            api = getattr(imported(module), "API", None)
            if not isinstance(api, Api):
                raise Broken("has no `API = Api(...)`; APIs of llama-stack's earlier interface have to be written anew")
            if api.name != name:
                raise Broken(f"has the API `{api.name}`, and its file says `{name}`")
            check_operations(api)
    except Broken as error:
        found.note(f"the module `{module}` of the API `{name}` {error}", file=str(described.file))
        api = standing_in.unknown_api(name)
    found.apis[name] = api


def _stand_in_for_broken(found: _Found, named: External, built_in: World) -> None:
    """Types that nothing here has may be those of packages that could not be imported."""
    for one in named.providers if found.broken else ():
        key = (one.api, one.provider_type)
        if key not in found.specs and key not in built_in.by_type and standing_in.is_type(one.provider_type):
            why = f"nothing here has a `{one.provider_type}` of {one.api}, and {'; '.join(found.broken)}"
            found.specs[key] = standing_in.refused(*key, "", why)
