"""Finds the existing APIs and providers by looking into folders; they are not listed anywhere.

A file or package in `runtime/apis` without a leading underscore is an API. One in `runtime/providers/<api>` without a
leading underscore is a provider, and defines `SPEC` (or `SPECS`). Specs are imported, which is cheap; APIs, adapters
and config models only on request.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from runtime.errors import Conflict, Problem
from runtime.spec import Spec

_ROOT = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class ApiSummary:
    """An API as a listing shows it: its name, the first line of its docstring, and how many providers it has."""

    api: str
    summary: str
    providers: int


class World:
    """The APIs and providers that exist for one plan: those of this package, and others that are added `beside` them.

    apis: names of APIs, each with its `Api`, or None for one of this package, which is imported when it is asked for.
    more: specs beside those of this package. notes: what is to be said of them. packages: requirements that all of it
    has beyond those of the specs. is_open: there are APIs of which only the names are known.
    """

    def __init__(
        self,
        apis: Mapping[str, Any],
        more: tuple[Spec, ...] = (),
        *,
        notes: tuple[Problem, ...] = (),
        packages: tuple[str, ...] = (),
        is_open: bool = False,
    ) -> None:
        self._apis = dict(sorted(apis.items()))
        self.more = more
        self.notes = notes
        self.packages = packages
        self.is_open = is_open

    def beside(
        self,
        apis: Iterable[Any],
        specs: Iterable[Spec],
        *,
        notes: Iterable[Problem] = (),
        packages: Iterable[str] = (),
        is_open: bool = False,
    ) -> World:
        """This world with more in it; an API replaces one of the same name, a spec one of the same API and type."""
        return World(
            self._apis | {api.name: api for api in apis},
            (*self.more, *specs),
            notes=(*self.notes, *notes),
            packages=(*self.packages, *packages),
            is_open=self.is_open or is_open,
        )

    @property
    def api_names(self) -> tuple[str, ...]:
        """The names of all APIs, sorted. Imports nothing."""
        return tuple(self._apis)

    def load_api(self, name: str) -> Any:
        """The `Api` of this name. Raises KeyError for a name that is not in `api_names`."""
        return self._apis[name] or importlib.import_module(f"runtime.apis.{name}").API

    def load_apis(self) -> dict[str, Any]:
        """All of them, by name. Raises Conflict for two that register what the providers of one API own."""
        apis = {name: self.load_api(name) for name in self._apis}
        registering: dict[str, str] = {}
        for name, api in apis.items():
            if api.resource is None:
                continue
            owning = api.resource.served_by
            if (other := registering.setdefault(owning, name)) != name:
                raise Conflict(
                    f"The APIs {other} and {name} both register what the providers of {owning} own",
                    hint=f"leave one of them out, or have one served by another API than {owning}",
                )
        return apis

    @cached_property
    def specs(self) -> tuple[Spec, ...]:
        """Every provider, sorted by API and type."""
        last = {(spec.api, spec.provider_type): spec for spec in (*_built_in_specs(), *self.more)}
        return tuple(last[key] for key in sorted(last))

    @cached_property
    def by_type(self) -> Mapping[tuple[str, str], Spec]:
        """Provider types and their aliases: (api, provider_type) -> spec."""
        aliases = {(spec.api, alias): spec for spec in self.specs for alias in spec.aliases}
        return aliases | {(spec.api, spec.provider_type): spec for spec in self.specs}

    def types_of(self, api: str) -> list[str]:
        """The types of an API's providers, sorted."""
        return [spec.provider_type for spec in self.specs if spec.api == api]


@cache
def built_in() -> World:
    """The APIs and providers of this package."""
    return World(dict.fromkeys(name for name in _entries(_ROOT / "apis") if not name.startswith("_")))


def api_summaries() -> list[ApiSummary]:
    """Every built-in API with its summary, the first line of its docstring. Imports no API."""
    world = built_in()
    counts: dict[str, int] = {}
    for spec in world.specs:
        counts[spec.api] = counts.get(spec.api, 0) + 1
    return [ApiSummary(api=name, summary=_summary(name), providers=counts.get(name, 0)) for name in world.api_names]


def kept_kinds() -> list[str]:
    """What is kept and can be too old, by its kinds: of the stores of tables and the analytics that APIs, specs and the
    stack itself declare. Imports no API.
    """
    found = {name for spec in built_in().specs for name in (*spec.tables, *spec.analytics)}
    for file in [*(_ROOT / "apis").rglob("*.py"), _ROOT / "storage" / "placement.py"]:
        text = file.read_text(encoding="utf-8")
        if "kinds=(" in text or "analytics=(" in text:
            found.update(kind for call in ast.walk(ast.parse(text)) for kind in _kinds_in(call))
    return sorted(found)


def load(reference: str, *, package: str) -> Any:
    """The object at `module:name`; a module that starts with a dot is relative to `package`."""
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module, package), name)


@cache
def _built_in_specs() -> tuple[Spec, ...]:
    return tuple(_read_specs())


def _read_specs() -> Iterator[Spec]:
    for folder in sorted((_ROOT / "providers").iterdir()):
        if not folder.is_dir() or folder.name.startswith("_"):
            continue
        for name in _entries(folder):
            if name.startswith("_"):
                continue
            module = f"runtime.providers.{folder.name}.{name}"
            found = importlib.import_module(module)
            for spec in getattr(found, "SPECS", None) or (found.SPEC,):
                yield spec.found_in(folder.name, module)


def _entries(folder: Path) -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules([str(folder)]))


def _kinds_in(node: ast.AST) -> Iterator[str]:
    """The `kinds` of a `Store(...)` of tables that age, and the `analytics` of an `Api(...)`."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("Store", "Api"):
        stated = {keyword.arg: keyword.value for keyword in node.keywords}
        if "analytics" in stated:
            yield from ast.literal_eval(stated["analytics"])
        families = ast.literal_eval(stated["families"]) if "families" in stated else ()
        ages = ast.literal_eval(stated["ages"]) if "ages" in stated else True
        if "kinds" in stated and "sql" in families and ages:
            yield from ast.literal_eval(stated["kinds"])


def _summary(api: str) -> str:
    folder = _ROOT / "apis"
    source = folder / f"{api}.py"
    text = (source if source.exists() else folder / api / "__init__.py").read_text(encoding="utf-8")
    docstring = ast.get_docstring(ast.parse(text)) or ""
    return docstring.split("\n", 1)[0].rstrip(".")
