"""Reads a run config of any era: the config, or every problem that it has.

Alone knows how older systems wrote things: `_UPGRADES` brings a file to the newest shape before anything else looks
at it. Does not know which APIs and provider types exist; `plan` checks those and providers' own configs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from runtime.config import document, environment, home, template
from runtime.config.build_config import BuildConfig, load_build_config
from runtime.config.document import Node, shortened
from runtime.config.environment import Use
from runtime.config.reading import DISABLED, Reading
from runtime.config.refusals import refuse_backends, refuse_settings
from runtime.config.run_config import ProviderEntry, ProviderSection, RunConfig, RunFile, redacted
from runtime.config.text import STDIN, is_stream, read_text, shown
from runtime.config.validation import check
from runtime.errors import ConfigInvalid, NotFound, Problem, did_you_mean, nearest, suggestion
from runtime.storage.config import STORE_FAMILIES, backends_with_defaults, family_of

__all__ = ["BuildConfig", "load_build_config", "load_run_config", "parse_run_config", "redacted", "resolve_config"]

NEWEST_VERSION = 2

_PROVIDER_ID = re.compile(r"(?!\.)[A-Za-z0-9._-]{1,64}")

_RESOURCE_IDS = {
    "models": ("model_id",),
    "shields": ("shield_id",),
    "vector_stores": ("vector_store_id", "vector_db_id"),
    "datasets": ("dataset_id",),
    "scoring_fns": ("scoring_fn_id",),
    "benchmarks": ("benchmark_id",),
    "tool_groups": ("toolgroup_id",),
}


_PLANNED = re.compile(
    r"apis\[\d+\]|providers\.[^.]+\[\d+\]\.provider_type|storage\.backends\.[^.]+\.type|additional_pip_packages\[\d+\]"
)
"""What a build has to know, since packages hang on it; any other value is needed only when a server runs."""


def load_run_config(path: Path, env: Mapping[str, str]) -> RunConfig:
    """The run config in the file. Raises ConfigInvalid with every problem, NotFound where there is no such file."""
    return parse_run_config(read_text(path, what="run config"), file=shown(path), env=env)


def parse_run_config(
    text: str, *, file: str | None = None, env: Mapping[str, str], to_build: bool = False
) -> RunConfig:
    """The run config in `text`; `file` is only named in problems. Raises ConfigInvalid with every problem.

    to_build: values that no package hangs on may wait for their variables; `uses` tells which do, and something of the
    right type stands in for each.
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
        reading.problem("this is a build.yaml of older systems and no run config", root, hint=hint)
        raise ConfigInvalid(problems, what="run config")
    return _read_config(reading)


def resolve_config(argument: str, env: Mapping[str, str] | None = None) -> Path | str:
    """What a `DISTRO|NAME|FILE` argument means: the path of an existing file, or the name of a template.

    An existing file comes first, also one that can be read once only (`text.is_stream`), then a template, then
    distributions that were built under that name, by us or by llama-stack: the run.yaml in their folder, else the
    user's file that they were built from. Raises NotFound with the places tried and close names, or with the file where
    that is gone.
    """
    given = home.expanded(argument)
    if argument != STDIN and str(given) == STDIN:
        given = given.absolute()
    if is_stream(str(given)) or _is_file(given):
        return given
    templates = template.template_names()
    if argument in templates:
        return argument
    folder = home.distributions_dir(env)
    places = [given]
    if home.is_distribution_name(argument):
        places += [
            folder / f"llamastack-{argument}" / f"{argument}-run.yaml",
            folder / argument / "run.yaml",
            folder / argument / f"{argument}-run.yaml",
        ]
        found = next((place for place in places[1:] if place.is_file()), None)
        if found:
            return found
        source = home.config_of(folder / argument)
        if source is not None:
            return _still_there(source, argument)
    if argument and _is_folder(given):
        inside = " or ".join(f"`{path}`" for path in sorted(given.glob("*.y*ml"))[:3])
        raise NotFound(
            f"`{argument}` is a folder, and no template and no distribution that was built",
            hint=f"name a file in it, such as {inside}" if inside else "no YAML file is in it",
            code="config_not_found",
        )
    raise NotFound(
        f"`{argument}` is no file, no template and no distribution that was built",
        hint=_where_to_look(argument, places, templates, folder),
        code="config_not_found",
    )


def _still_there(source: Path, name: str) -> Path:
    if _is_file(source):
        return source
    raise NotFound(
        f"`{name}` was built from `{source}`, and that file is gone",
        hint="put it back, or build from another: `llama stack build --config FILE`",
        code="config_not_found",
    )


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except PermissionError:
        return len(path.parts) > 1  # somebody means a file: whoever reads it will say that it is not allowed
    except (OSError, ValueError):  # a name that no file can have: too long, or with a null character
        return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _where_to_look(argument: str, places: list[Path], templates: list[str], folder: Path) -> str:
    built = sorted(entry.name.removeprefix("llamastack-") for entry in folder.iterdir()) if folder.is_dir() else []
    parent = places[0].parent
    beside = sorted(entry.name for entry in parent.glob("*.y*ml")) if parent.is_dir() else []
    close = did_you_mean(places[0].name, [*dict.fromkeys([*templates, *built, *beside])])
    looked = f"templates: {', '.join(templates) or 'none'}; looked at {', '.join(str(place) for place in places)}"
    return f"{close} {looked}" if close else looked


def _read_config(reading: Reading) -> RunConfig:
    for upgrade in _UPGRADES:
        upgrade(reading)
    off = _take_off_providers(reading)
    _drop_off_resources(reading)
    refuse_settings(reading)
    resolved = reading.root = environment.resolve(
        reading.root,
        reading.env,
        problems=reading.problems,
        uses=reading.uses,
        file=reading.file,
        warn=reading.warn,
        may_wait=lambda place: reading.to_build and _PLANNED.fullmatch(place) is None,
    )
    refuse_backends(reading)
    said = {problem.path for problem in reading.problems}
    found: list[Problem] = []
    parsed = check(RunFile, resolved, problems=found, file=reading.file)
    # A value that could not be read is missing as well; that is not worth a second line.
    reading.problems.extend(_with_origin(problem, reading.uses) for problem in found if problem.path not in said)
    _check_name_and_version(reading)
    _check_provider_ids(reading)
    _check_storage(reading)
    if parsed is None or reading.problems:
        raise _invalid(reading, sound=_sound_providers(reading, off))
    providers = {
        api: [_entry(reading, api, index, section) for index, section in enumerate(sections or [])]
        for api, sections in parsed.providers.items()
    }
    fields = {name: getattr(parsed, name) for name in RunFile.model_fields if name not in ("providers", "version")}
    return RunConfig(
        **fields,
        providers=providers,
        off=off,
        warnings=reading.warnings,
        uses=reading.uses,
        file=reading.file,
        lines=dict(resolved.lines()),
    )


def _with_origin(problem: Problem, uses: Sequence[Use]) -> Problem:
    """Whoever meets a value that the file does not show must be told where it came from."""
    variables = [f"`{use.variable}`" for use in uses if use.path == problem.path and use.is_set and use.form != "+"]
    if problem.hint or not variables:
        return problem
    return replace(problem, hint=f"the value comes from {' and '.join(variables)}")


def _invalid(reading: Reading, *, sound: RunConfig | None = None) -> ConfigInvalid:
    ordered = sorted(dict.fromkeys(reading.problems), key=lambda problem: problem.line or 0)
    return ConfigInvalid(ordered, what="run config", sound=sound)


def _sound_providers(reading: Reading, off: list[ProviderEntry]) -> RunConfig:
    """The providers that could be read, whatever is wrong elsewhere: their types and settings can be checked too."""
    sound: dict[str, list[ProviderEntry]] = {}
    providers = reading.root.get("providers")
    for api, entries in (providers.mapping or {}).items() if providers else ():
        sound[api] = []
        for index, node in enumerate(entries.items or []):
            section = check(ProviderSection, node, problems=[]) if node.mapping is not None else None
            if section is not None:
                sound[api].append(_entry(reading, api, index, section))
    apis = reading.root.get("apis")
    return RunConfig(
        distro_name="",
        apis=[node.text or "" for node in (apis.items if apis else None) or ()],
        providers=sound,
        off=off,
        uses=reading.uses,
        file=reading.file,
        lines=dict(reading.root.lines()),
    )


def _entry(reading: Reading, api: str, index: int, section: Any) -> ProviderEntry:
    node = reading.root.get("providers", api, index)
    assert node is not None, "parsed from this very node"
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
        enabled_by=tuple(use.variable for use in reading.uses if id_node and use.path == id_node.path),
    )


def _take_off_providers(reading: Reading) -> list[ProviderEntry]:
    """Remove the providers that are off before their configs are read: variables that only they need may be unset."""
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
                    enabled_by=environment.variables_in(written),
                )
            )
        if entries.items is not None:
            entries.value = kept
    return off


def _id_when_on(written: str) -> str:
    """`openai` of `${env.OPENAI_API_KEY:+openai}`; empty where the file does not tell."""
    found = environment.when_set(written)
    return "" if found == DISABLED or "${" in found else found


def _drop_off_resources(reading: Reading) -> None:
    resources = reading.top.get("registered_resources")
    for kind, entries in (resources.mapping or {}).items() if resources else ():
        if entries.items is None:
            continue
        names = ("provider_id", *_RESOURCE_IDS.get(kind, ()))
        entries.value = [entry for entry in entries.items if not _is_left_out(reading, entry, names)]


def _is_left_out(reading: Reading, entry: Node, names: Sequence[str]) -> bool:
    """Off, or for a build: of a provider or a name that is yet to be set. No package hangs on what is registered."""
    nodes = [node for name in names if (node := (entry.mapping or {}).get(name))]
    awaited = 0
    for node in nodes if reading.to_build else ():
        result = reading.substituted(node)
        for variable in result.missing if result else ():
            reading.uses.append(Use(path=node.path, line=node.line, variable=variable, form="", is_set=False))
            awaited += 1
    return awaited > 0 or any(reading.is_off(node) for node in nodes)


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
    """That ids are there, differ, and can name a folder and stand before the `/` of a model id."""
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


def _check_storage(reading: Reading) -> None:
    """That every store names a backend there is, of a family that suits it; in the tree, so also if more is wrong."""
    backends = reading.root.get("storage", "backends")
    named = {name: node.get("type") for name, node in (backends.mapping or {}).items()} if backends else {}
    written = {name: kind.value for name, kind in named.items() if kind}
    types = backends_with_defaults({name: kind for name, kind in written.items() if isinstance(kind, str)})
    for store, families in STORE_FAMILIES.items():
        node = reading.root.get("storage", "stores", store, "backend")
        if node is None or not node.text:
            continue
        if node.text not in types and node.text not in named:
            hint = suggestion(nearest(node.text, list(types)) or list(types))
            reading.problem(f"there is no backend `{node.text}`", node, hint=hint)
        elif node.text in types and family_of(types[node.text]) not in families:
            fitting = [f"`{name}`" for name, kind in types.items() if family_of(kind) == families[0]]
            reading.problem(
                f"the store `{store}` needs a `{families[0]}_` backend, `{node.text}` is `{types[node.text]}`",
                node,
                hint=f"there is {' and '.join(fitting)}",
            )


_RENAMED = {  # older key -> key
    "image_name": "distro_name",  # until 0.3
    "docker_image": "container_image",  # until 0.1
    "vector_stores_config": "vector_stores",  # early documents
    "logging_config": "logging",  # the key that every server until 1.5 really read
}
_TO_RESOURCES = {  # older top-level list -> kind of registered resource
    "models": "models",  # this and the following: until 0.2
    "shields": "shields",
    "vector_dbs": "vector_stores",
    "datasets": "datasets",
    "scoring_fns": "scoring_fns",
    "benchmarks": "benchmarks",
    "tool_groups": "tool_groups",
    "default_models": "models",  # early documents
}
_TO_STORAGE = {  # older top-level store -> family, store
    "metadata_store": ("kv", "metadata"),  # this and the following: until 0.2
    "inference_store": ("sql", "inference"),
    "conversations_store": ("sql", "conversations"),
}
_WITHOUT_EFFECT = {
    "built_at": "says nothing to a server",  # until 0.1
    "conda_env": "environments are made by `llama stack build`",
    "image_type": "environments are made by `llama stack build`",
    "telemetry": "spans and metrics are exported where the `OTEL_EXPORTER_OTLP_ENDPOINT` variable is set",  # 0.3
}
_BEFORE_VERSION_1 = ("routing_table", "api_providers", "apis_to_serve", "provider_map")


def _refuse_before_version_1(reading: Reading) -> None:
    found = [reading.top.pop(key) for key in _BEFORE_VERSION_1 if key in reading.top]
    if found:
        reading.problem(
            "this file is from before version 1 and cannot be read",
            found[0],
            hint="list its providers under `providers`, by API; `llama stack build` renders an example",
        )


def _rename(reading: Reading) -> None:
    for old, new in _RENAMED.items():
        node = reading.top.pop(old, None)
        if node is None:
            continue
        if new in reading.top:
            reading.problem(f"`{old}` is the older name of `{new}`, and both are given", node, hint=f"remove `{old}`")
        else:
            reading.top[new] = node
            reading.warn(f"this is now called `{new}`", node)


def _drop_what_has_no_effect(reading: Reading) -> None:
    for key, reason in _WITHOUT_EFFECT.items():
        node = reading.top.pop(key, None)
        if node is not None and not reading.is_empty(node):
            reading.warn(f"has no effect: {reason}", node)


def _mount_all(reading: Reading) -> None:
    """An empty `apis` meant all of them until 0.8."""
    apis = reading.top.get("apis")
    if apis is not None and apis.value == []:
        del reading.top["apis"]
        reading.warn("an empty list mounts every API; leave the key out to say so", apis)


def _collect_resources(reading: Reading) -> None:
    for old, kind in _TO_RESOURCES.items():
        node = reading.top.pop(old, None)
        if node is None or reading.is_empty(node):
            continue
        if node.items is None:
            reading.problem("expected a list", node, hint=f"it belongs to `registered_resources.{kind}`")
            continue
        if old == "default_models":
            node.value = [_model_by_name(entry) for entry in node.items]
        if node.items:
            reading.warn(f"this is now `registered_resources.{kind}`", node)
        resources = reading.top.setdefault("registered_resources", Node({}, "registered_resources", node.line))
        if resources.value is None:
            resources.value = {}
        if resources.mapping is None:
            continue  # a problem that the model will name
        _append(resources.mapping, kind, node)


def _rename_vector_dbs(reading: Reading) -> None:
    """`registered_resources.vector_dbs`, as the first of the 0.3 versions had it."""
    resources = reading.top.get("registered_resources")
    older = resources.mapping.pop("vector_dbs", None) if resources and resources.mapping else None
    if resources and resources.mapping is not None and older and older.items:
        reading.warn("this is now `registered_resources.vector_stores`", older)
        _append(resources.mapping, "vector_stores", older)


def _append(resources: dict[str, Node], kind: str, more: Node) -> None:
    present = resources.setdefault(kind, Node([], more.path, more.line))
    if present.items is not None:
        present.value = [*present.items, *(more.items or [])]


def _model_by_name(node: Node) -> Node:
    return Node({"model_id": node}, node.path, node.line) if isinstance(node.value, str) else node


def _one_storage_type(reading: Reading) -> None:
    """`storage: {type: sqlite, path: ...}` of the early documents, one file for everything."""
    storage = reading.top.get("storage")
    if storage is None or storage.mapping is None or "type" not in storage.mapping:
        return
    settings = dict(storage.mapping)
    backends = {f"{family}_default": _backend(family, settings, storage) for family in ("kv", "sql")}
    if settings["type"].value == "memory":
        del backends["sql_default"]  # there are no tables in memory; the default file serves
    reading.warn("one type for everything is now `storage.backends`, each with a type of its own", storage)
    storage.value = {"backends": Node(dict(backends), storage.path, storage.line)}


def _collect_stores(reading: Reading) -> None:
    for old, (family, store) in _TO_STORAGE.items():
        node = reading.top.pop(old, None)
        if node is None or reading.is_empty(node):
            continue
        if node.mapping is None:
            reading.problem("expected a mapping with `type`", node, hint=f"it belongs to `storage.stores.{store}`")
            continue
        name = f"{family}_{store}"
        _add_backend(reading, name, _backend(family, node.mapping, node))
        stores = _section(reading, "storage", "stores", node)
        reading.warn(f"this is now `storage.stores.{store}` with a backend", node)
        if stores is None or store in stores:
            continue
        # A namespace of the older store stays with its backend, so that the same keys are found.
        about = {"namespace": "registry"} if family == "kv" else {"table_name": f"{store}_store"}
        values = {"backend": name, **about}
        stores[store] = Node(
            {key: Node(value, node.path, node.line) for key, value in values.items()}, node.path, node.line
        )


def _collect_provider_stores(reading: Reading) -> None:
    """`config.kvstore: {type: sqlite, db_path: ...}` of a provider (until 0.2) -> a backend and a reference to it."""
    providers = reading.top.get("providers")
    for api, entries in (providers.mapping or {}).items() if providers else ():
        for entry in entries.items or []:
            kvstore = entry.get("config", "kvstore")
            id_node = entry.get("provider_id")
            if kvstore is None or kvstore.mapping is None or "type" not in kvstore.mapping or reading.is_off(id_node):
                continue
            kind = entry.get("provider_type")
            short = str(kind.plain()).rsplit("::", 1)[-1] if kind else "provider"
            name = f"kv_{api}_{short}"
            _keep_a_backend_for_the_rest(reading, kvstore)
            _add_backend(reading, name, _backend("kv", kvstore.mapping, kvstore))
            reading.warn("this is now a backend in `storage.backends` and a reference to it", kvstore)
            reference = {"backend": name, "namespace": f"{api}::{short}"}
            kvstore.value = {key: Node(value, kvstore.path, kvstore.line) for key, value in reference.items()}


def _keep_a_backend_for_the_rest(reading: Reading, at: Node) -> None:
    """Without a backend of its own, what the file does not place would go to a provider's."""
    backends = _section(reading, "storage", "backends", at) or {}
    kinds = [node.get("type") for node in backends.values()]
    if not any(kind and str(kind.plain()).startswith("kv_") for kind in kinds):
        _add_backend(reading, "kv_default", Node({"type": Node("kv_sqlite", at.path, at.line)}, at.path, at.line))


def _backend(family: str, settings: Mapping[str, Node], at: Node) -> Node:
    """An older store's settings as a backend of `family`."""
    kept = {
        ("db_path" if key == "path" else key): node
        for key, node in settings.items()
        if key not in ("type", "table_name")
    }
    kind = settings.get("type") or Node("sqlite", at.path, at.line)
    written = str(kind.plain())
    typed = written if written.startswith(("kv_", "sql_", "${")) else f"{family}_{written}"
    if family == "sql":
        kept.pop("namespace", None)
    return Node({"type": Node(typed, kind.path, kind.line), **kept}, at.path, at.line)


def _add_backend(reading: Reading, name: str, backend: Node) -> None:
    backends = _section(reading, "storage", "backends", backend)
    if backends is not None:
        backends.setdefault(name, backend)


def _section(reading: Reading, outer: str, inner: str, at: Node) -> dict[str, Node] | None:
    """The mapping `outer.inner`, made where it is missing; None where something else stands there."""
    mapping: dict[str, Node] | None = reading.top
    for key in (outer, inner):
        if mapping is None:
            return None
        node = mapping.setdefault(key, Node({}, at.path, at.line))
        if node.value is None:
            node.value = {}
        mapping = node.mapping
    return mapping


_UPGRADES: tuple[Callable[[Reading], None], ...] = (
    _refuse_before_version_1,
    _rename,
    _drop_what_has_no_effect,
    _mount_all,
    _collect_resources,
    _rename_vector_dbs,
    _one_storage_type,
    _collect_stores,
    _collect_provider_stores,
)
"""Every older shape, in the order in which they are brought forward."""
