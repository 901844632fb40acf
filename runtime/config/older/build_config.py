"""Reads the `build.yaml` of older systems (until 0.3), which lists the providers of a distribution. Never written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from runtime.config import document, requirement
from runtime.config.document import Node
from runtime.config.reading import Reading, as_warning
from runtime.errors import ConfigInvalid
from runtime.similar import did_you_mean


@dataclass(frozen=True, kw_only=True)
class BuildConfig:
    """The contents of an older `build.yaml`. providers: provider types by API. modules: the packages that bring
    external ones, by API and type; folders: those that describe more, by their keys, as written. name: None if the file
    gives none.
    """

    name: str | None
    description: str
    providers: dict[str, list[str]]
    modules: Mapping[tuple[str, str], str] = field(default_factory=dict)
    folders: Mapping[str, str] = field(default_factory=dict)
    additional_pip_packages: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def is_build_config(text: str) -> bool:
    """Whether the text is a `build.yaml` and not a run config; False for what is not YAML."""
    root, _ = document.parse(text)
    return root is not None and root.get("distribution_spec") is not None


EXTERNAL_FOLDERS = ("external_providers_dir", "external_apis_dir")
_BUILD_KEYS = (
    "version",
    "name",
    "image_name",
    "distro_name",
    "distribution_spec",
    "image_type",
    "additional_pip_packages",
    *EXTERNAL_FOLDERS,
)
_SPEC_KEYS = ("description", "providers", "container_image", "docker_image", "additional_pip_packages")


def parse_build_config(text: str, *, file: str | None = None) -> BuildConfig:
    """The `build.yaml` (until 0.3) in `text`. Raises ConfigInvalid with every problem."""
    root, problems = document.parse(text, file=file)
    if root is None:
        raise ConfigInvalid(problems, what="build config")
    reading = Reading(root=root, env={}, file=file, problems=problems)
    spec = root.get("distribution_spec")
    if spec is None or spec.mapping is None:
        reading.problem("a build config is a mapping with `distribution_spec`", spec or root)
        raise ConfigInvalid(problems, what="build config")
    _unknown_keys(reading, root, _BUILD_KEYS)
    _unknown_keys(reading, spec, _SPEC_KEYS)
    _check_image_type(reading, root.get("image_type"))
    modules: dict[tuple[str, str], str] = {}
    config = BuildConfig(
        name=next(
            (
                str(node.text or node.plain())
                for key in ("distro_name", "image_name", "name")
                if (node := root.get(key)) and node.value
            ),
            None,
        ),
        description=str((spec.get("description") or Node("")).plain() or ""),
        providers=_build_providers(reading, spec, modules),
        modules=modules,
        folders={
            key: str(node.text or node.plain()) for key in EXTERNAL_FOLDERS if (node := root.get(key)) and node.value
        },
        additional_pip_packages=tuple(
            dict.fromkeys(package for holder in (root, spec) for package in _packages(reading, holder))
        ),
        warnings=tuple(map(as_warning, reading.noted)),
    )
    if reading.problems:
        raise ConfigInvalid(sorted(reading.problems, key=lambda problem: problem.line or 0), what="build config")
    return config


def _packages(reading: Reading, holder: Node) -> list[str]:
    """`additional_pip_packages`: at the top (0.1 to 0.3), or in the specification."""
    node = holder.get("additional_pip_packages")
    if node is None or node.value is None:
        return []
    if node.items is None:
        reading.problem("expected a list of requirements", node)
    for entry in node.items or ():
        if not isinstance(entry.value, str):
            reading.problem("expected a requirement such as `sqlalchemy[asyncio]`", entry)
    return [entry.value for entry in node.items or () if isinstance(entry.value, str)]


def _build_providers(reading: Reading, spec: Node, modules: dict[tuple[str, str], str]) -> dict[str, list[str]]:
    """Provider types by API: a list of `{provider_type, module}` (0.3), of names, or one name (until 0.2). What brings
    external ones is added to `modules`.
    """
    providers = spec.get("providers")
    if providers is None or providers.mapping is None:
        reading.problem(
            "is missing" if providers is None else "expected a mapping",
            providers or spec,
            path=f"{spec.path}.providers",
        )
        return {}
    found: dict[str, list[str]] = {}
    for api, chosen in providers.mapping.items():
        found[api] = []
        for entry in chosen.items if chosen.items is not None else [chosen]:
            kind = entry.get("provider_type") if entry.mapping is not None else entry
            module = entry.get("module")
            if kind is None or not isinstance(kind.value, str):
                reading.problem("expected a provider type such as `remote::ollama`", entry)
            else:
                found[api].append(kind.value)
                if module is not None and module.value is not None:
                    modules[api, kind.value] = _module(reading, module)
    return found


def _module(reading: Reading, node: Node) -> str:
    try:
        return requirement.checked(str(node.text or node.plain()))
    except ValueError as error:
        reading.problem(str(error), node)
        return ""


def _check_image_type(reading: Reading, node: Node | None) -> None:
    if node is None or node.value in (None, "venv"):
        return
    if node.value == "conda":
        reading.warn("conda environments are no longer made; a venv is made instead", node)
    else:
        reading.problem(
            f"the image type `{node.value}` is not available in this version", node, hint="`image_type: venv`"
        )


def _unknown_keys(reading: Reading, node: Node, known: tuple[str, ...]) -> None:
    for key, child in (node.mapping or {}).items():
        if key not in known:
            reading.problem(f"unknown key `{key}`", child, hint=did_you_mean(key, known))
