"""Reads a run config of any version: returns the config, or raises with every problem in it.

Knows only the newest shape; `older` first brings a file to that shape. Which APIs and provider types exist it is told,
and checks nothing by it: `plan` checks those, the providers' own configs and the registered resources.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runtime.config import document, home, storage, substitution
from runtime.config.document import Node
from runtime.config.external import FindWorld
from runtime.config.older.refusals import refuse_settings
from runtime.config.older.upgrades import upgrade
from runtime.config.otlp import packages_to_send
from runtime.config.reading import DISABLED, Reading
from runtime.config.reading_external import external_in
from runtime.config.run_config import ProviderEntry, ProviderSection, ResourceEntry, RunConfig, RunFile
from runtime.config.substitution import Use
from runtime.config.validation import check, with_origin
from runtime.errors import ConfigInvalid, Problem
from runtime.invalid.vocabulary import shortened
from runtime.storage.placement import StorageConfig

NEWEST_VERSION = 2

_PROVIDER_ID = re.compile(r"(?!\.)[A-Za-z0-9._-]{1,64}")

_PLANNED = re.compile(
    r"apis\[\d+\]|providers\.[^.]+\[\d+\]\.(provider_type|module)|storage\.backends\.[^.]+\.type"
    r"|additional_pip_packages\[\d+\]|external_(providers|apis)_dir"
)
"""What a build must know, since it decides which packages are installed. Only a server needs all other values."""


def parse_run_config(
    text: str,
    *,
    file: str | None = None,
    env: Mapping[str, str],
    to_build: bool = False,
    folder: Path | None = None,
    find_world: FindWorld | None = None,
) -> RunConfig:
    """The run config in `text`; `file` is only named in problems. Raises ConfigInvalid with every problem.

    to_build: variables may be unset if no package depends on their value. Such values are placeholders of the right
    type, and `uses` lists their variables. folder: what relative paths of external providers are relative to, by
    default the present one. find_world: the APIs and providers that exist, by what the file names; by default those of
    this package.
    """
    return _read_config(read_tree(text, file=file, env=env, to_build=to_build, folder=folder, find_world=find_world))


def read_tree(
    text: str,
    *,
    file: str | None = None,
    env: Mapping[str, str],
    to_build: bool = False,
    folder: Path | None = None,
    find_world: FindWorld | None = None,
) -> Reading:
    """The tree of a run config in its newest shape, before any variable is replaced, with the problems found so far;
    for the arguments see `parse_run_config`. Raises ConfigInvalid for what is no run config at all.
    """
    root, problems = document.parse(text, file=file)
    if root is None:
        raise ConfigInvalid(problems, what="run config")
    reading = Reading(root=root, env=env, file=file, problems=problems, to_build=to_build)
    if root.mapping is None:
        empty = "there is nothing in it: " if root.value is None else ""
        reading.problem(f"{empty}a run config is a mapping with `version`, `distro_name`, `providers`, ...", root)
        raise ConfigInvalid(problems, what="run config")
    if "distribution_spec" in reading.top:
        hint = "`llama stack build --config FILE` makes a run.yaml of it"
        reading.problem("this is a build.yaml of older systems, not a run config", root, hint=hint)
        raise ConfigInvalid(problems, what="run config")
    reading.external = external_in(reading, folder=folder or Path())
    if find_world is not None:
        reading.world = find_world(reading.external)
    upgrade(reading)
    return reading


def _read_config(reading: Reading) -> RunConfig:
    off = _take_off_providers(reading)
    _drop_off_resources(reading)
    refuse_settings(reading)
    resolved = reading.root = substitution.resolve(
        reading.root,
        reading.env,
        problems=reading.problems,
        uses=reading.uses,
        file=reading.file,
        warn=reading.warn,
        may_wait=lambda place: reading.to_build and _PLANNED.fullmatch(place) is None,
    )
    reported = {problem.path for problem in reading.problems}
    found: list[Problem] = []
    parsed = check(RunFile, resolved, problems=found, file=reading.file)
    # A value that could not be read is also missing; one report is enough.
    reading.problems.extend(with_origin(problem, reading.uses) for problem in found if problem.path not in reported)
    _check_name_and_version(reading)
    _check_provider_ids(reading)
    reading.problems.extend(storage.unknown_backends(reading.root.get("storage"), file=reading.file))
    if parsed is None or reading.problems:
        raise _invalid(reading, sound=_sound(reading, off))
    for node, sentence in storage.without_effect(resolved.get("storage"), parsed.storage):
        reading.warn(sentence, node)
    providers = {
        api: [_entry(reading, api, index, section) for index, section in enumerate(sections or [])]
        for api, sections in parsed.providers.items()
    }
    here = ("providers", "registered_resources", "version")
    run = RunConfig.model_construct(  # of what has just been checked
        **{name: getattr(parsed, name) for name in RunFile.model_fields if name not in here},
        providers=providers,
        registered_resources=_resources(resolved),
        off=off,
        to_send=packages_to_send(parsed.telemetry, reading.env),
        noted=reading.noted,
        uses=reading.uses,
        file=reading.file,
        lines=dict(resolved.lines()),
    )
    run._tree, run._world, run._external = resolved, reading.world, reading.external
    return run


def _invalid(reading: Reading, *, sound: RunConfig | None = None) -> ConfigInvalid:
    ordered = sorted(dict.fromkeys(reading.problems), key=lambda problem: problem.line or 0)
    return ConfigInvalid(ordered, what="run config", sound=sound)


def _sound(reading: Reading, off: list[ProviderEntry]) -> RunConfig:
    """The parts that could be read although others are wrong, so that they can be checked too."""
    sound: dict[str, list[ProviderEntry]] = {}
    unread: set[str] = set()
    providers = reading.root.get("providers")
    for api, entries in (providers.mapping or {}).items() if providers else ():
        sound[api] = []
        for index, node in enumerate(entries.items or []):
            section = check(ProviderSection, node, problems=[]) if node.mapping is not None else None
            if section is not None:
                sound[api].append(_entry(reading, api, index, section))
            if section is None or not section.provider_id:
                unread.add("providers")
    storage_node = reading.root.get("storage")
    storage_read = check(StorageConfig, storage_node, problems=[]) if storage_node else StorageConfig()
    if storage_read is None:
        unread.add("storage")
    apis = reading.root.get("apis")
    run = RunConfig.model_construct(  # of what has just been checked
        distro_name="",
        apis=[node.text or "" for node in (apis.items if apis else None) or ()],
        providers=sound,
        off=off,
        storage=storage_read or StorageConfig(),
        registered_resources=_resources(reading.root),
        unread=tuple(sorted(unread)),
        noted=reading.noted,
        uses=reading.uses,
        file=reading.file,
        lines=dict(reading.root.lines()),
    )
    run._world = reading.world
    return run


def _resources(root: Node) -> dict[str, list[ResourceEntry]]:
    resources = root.get("registered_resources")
    return {
        kind: [ResourceEntry.from_node(entry) for entry in entries.items or () if entry.mapping is not None]
        for kind, entries in ((resources.mapping if resources else None) or {}).items()
    }


def _entry(reading: Reading, api: str, index: int, section: Any) -> ProviderEntry:
    node = reading.root.get("providers", api, index)
    assert node is not None, "the section was parsed from this node"
    config_node = node.get("config") or Node({}, document.child_path(node.path, "config"), node.line)
    if config_node.value is None:
        config_node = Node({}, config_node.path, config_node.line)
    id_node = node.get("provider_id")
    return ProviderEntry.from_node(
        node,
        config_node=config_node,
        api=api,
        provider_id=section.provider_id,
        provider_type=section.provider_type,
        module=section.module,
        enabled_by=tuple(use.variable for use in reading.uses if id_node and use.path == id_node.path),
    )


def _take_off_providers(reading: Reading) -> list[ProviderEntry]:
    """Remove the providers that are off, before their configs are read: the variables in those may be unset."""
    off: list[ProviderEntry] = []
    providers = reading.top.get("providers")
    for api, entries in (providers.mapping or {}).items() if providers else ():
        kept: list[Node] = []
        for entry in entries.items or []:
            id_node = entry.get("provider_id")
            if entry.mapping is None or id_node is None or not reading.is_off(id_node):
                kept.append(entry)
                continue
            type_node = entry.get("provider_type")
            written = id_node.value if isinstance(id_node.value, str) else ""
            off.append(
                ProviderEntry(
                    api=api,
                    provider_id=_id_when_on(written),
                    provider_type=str(type_node.plain()) if type_node else "",
                    path=entry.path,
                    line=entry.line,
                    enabled_by=substitution.variables_in(written),
                )
            )
        if entries.items is not None:
            entries.value = kept
    return off


def _id_when_on(written: str) -> str:
    """`openai` for `${env.OPENAI_API_KEY:+openai}`; empty if the file does not give an id."""
    found = substitution.when_set(written)
    return "" if found == DISABLED or "${" in found else found


def _drop_off_resources(reading: Reading) -> None:
    resources = reading.top.get("registered_resources")
    for entries in (resources.mapping or {}).values() if resources else ():
        if entries.items is not None:
            entries.value = [entry for entry in entries.items if not is_left_out(reading, entry)]


def is_left_out(reading: Reading, entry: Node) -> bool:
    """Whether the provider or the name of a resource is off. For a build, also if one of them depends on an unset
    variable, since no package depends on registered resources.
    """
    ids = [key for key in entry.mapping or {} if _is_id_of_resource_or_provider(key)]
    if len({*ids} - {"provider_id"}) > 1 and "dataset_id" in ids:  # a benchmark's own, and that of its dataset
        ids.remove("dataset_id")
    nodes = [node for key, node in (entry.mapping or {}).items() if key in ids]
    awaited = 0
    for node in nodes if reading.to_build else ():
        result = reading.substituted(node)
        for variable in result.missing if result else ():
            reading.uses.append(Use(path=node.path, line=node.line, variable=variable, form="", is_set=False))
            awaited += 1
    return awaited > 0 or any(reading.is_off(node) for node in nodes)


def _is_id_of_resource_or_provider(key: str) -> bool:
    """True for `model_id` and `provider_id`; not for `provider_model_id`, which is only the provider's name for it."""
    return key == "provider_id" or (key.endswith("_id") and not key.startswith("provider_"))


def _check_name_and_version(reading: Reading) -> None:
    name = reading.root.get("distro_name")
    if name and name.text and not home.is_distribution_name(name.text):
        reading.problem(f"`{shortened(name.text)}` cannot name a distribution", name, hint=home.NAME_HINT)
    version = reading.root.get("version")
    if version and isinstance(version.value, int) and version.value > NEWEST_VERSION:
        reading.problem(
            f"version {shortened(str(version.value))} is newer than {NEWEST_VERSION}, the newest known here", version
        )


def _check_provider_ids(reading: Reading) -> None:
    """Every provider needs an id that is unique in its API and valid as a folder name and before `/` in a model id."""
    providers = reading.root.get("providers")
    for entries in (providers.mapping or {}).values() if providers else ():
        first: dict[str, Node] = {}
        for entry in entries.items or []:
            if entry.mapping is None:
                continue
            id_node = entry.get("provider_id")
            if id_node is None:
                reading.problem("is missing", entry, path=document.child_path(entry.path, "provider_id"))
            elif id_node.text and id_node.text in first:
                reading.problem(f"`{id_node.text}` is already the id of `{first[id_node.text].path}`", id_node)
            elif id_node.text:
                first[id_node.text] = entry
                if not _PROVIDER_ID.fullmatch(id_node.text):
                    hint = "use up to 64 letters, digits, `.`, `_` and `-`, and do not begin with `.`"
                    reading.problem(f"`{shortened(id_node.text)}` cannot be the id of a provider", id_node, hint=hint)
