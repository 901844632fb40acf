"""The APIs and providers that exist for a run config, as far as that is known where its packages are not installed.

Imports nothing of them. What a build has remembered is taken as it was then; what no build has seen yet is planned as
`standing_in` has it, with the package that will bring it.
"""

from __future__ import annotations

from dataclasses import replace

from runtime import discovery
from runtime.config.external import External, NamedProvider
from runtime.discovery import World
from runtime.errors import Problem
from runtime.external import standing_in
from runtime.external.remembered import Remembered, fingerprint
from runtime.redaction import redact_text


def known_world(named: External, of_build: Remembered | None) -> World:
    """Everything of this package, what a build has remembered, and stand-ins for what the run config names beyond that.
    of_build: None where it was not built.
    """
    built_in = discovery.built_in()
    if named.is_empty and of_build is None:
        return built_in
    specs = {(spec.api, spec.provider_type): spec for spec in (of_build.specs if of_build else ())}
    notes = list(of_build.notes) if of_build and of_build.named == fingerprint(named) else []
    apis, packages = {*(of_build.apis if of_build else ())}, []
    if named.apis_dir or named.providers_dir:
        from runtime.external import folders  # not above: few run configs name any, and its models take a while

        described_apis = [*folders.described_apis(named.apis_dir, notes)] if named.apis_dir else []
        names = {*built_in.api_names, *(api.settings.name for api in described_apis)}
        in_folder = folders.described_providers(named.providers_dir, notes, names) if named.providers_dir else ()
        described_providers = [*in_folder]
    else:
        described_apis, described_providers = [], []
    for api in described_apis:
        apis.add(api.settings.name)
        packages += api.settings.pip_packages
    for described in described_providers:
        key, settings = (described.api, described.provider_type), described.settings
        if settings is None:
            if not described.is_near or (key not in specs and key not in built_in.by_type):
                specs[key] = standing_in.undescribed(described)
        elif not (key in specs and {*settings.pip_packages} <= {*specs[key].packages}):
            specs[key] = replace(standing_in.awaited(*key, settings.module), packages=tuple(settings.pip_packages))
    for one in named.providers:
        key = (one.api, one.provider_type)
        if not standing_in.is_type(one.provider_type):
            continue
        if one.module:
            is_known = key in specs and one.module in specs[key].packages
        else:
            is_known = of_build is not None or not named.packages or key in specs or key in built_in.by_type
        if not is_known:
            specs[key] = standing_in.awaited(*key, one.module)
            notes.append(_awaits(one, named))
    stand_ins = [
        standing_in.unknown_api(name)
        for name in sorted(apis | {api for api, _ in specs})
        if name not in built_in.api_names
    ]
    return built_in.beside(
        stand_ins, specs.values(), notes=dict.fromkeys(notes), packages=packages, is_open=bool(stand_ins)
    )


def _awaits(one: NamedProvider, named: External) -> Problem:
    brings = (
        f"`{redact_text(one.module)}`"
        if one.module
        else f"one of {', '.join(f'`{redact_text(package)}`' for package in named.packages)}"
    )
    message = f"`{one.provider_type}` comes with {brings}: what it is and needs is known once that is built"
    return Problem(message=message, path=one.path, file=named.file, line=one.line)
