"""The providers of an API that come with us, as a conformance suite's subjects: each module of a folder `subjects/`,
named as its provider, has `SUBJECTS`.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

from runtime import discovery
from runtime.conformance.subjects import Kind
from tests.support.stack_home import TREE


def found(api: str) -> dict[str, Kind]:
    """Each by the names of its module and its own."""
    kinds: dict[str, Kind] = {}
    for name in held(api):
        module = importlib.import_module(f"tests.conformance.{api}.subjects.{name}")
        kinds |= {f"{name}-{own}": kind for own, kind in module.SUBJECTS.items()}
    return kinds


def held(api: str) -> list[str]:
    """The names of the modules."""
    folder = Path(TREE, "tests", "conformance", api, "subjects")
    return sorted(module.name for module in pkgutil.iter_modules([str(folder)]))


def not_held(api: str) -> set[str]:
    """The providers that come with us and have no module."""
    specs = [spec for spec in discovery.built_in().specs if spec.api == api]
    return {spec.name.replace("-", "_") for spec in specs} - {*held(api)}


def not_in_guide(api: str, page: str) -> set[str]:
    """The types of the providers that come with us and have no row of a table in a page of the guide."""
    guide = Path(TREE, "docs", "guide", page).read_text(encoding="utf-8")
    types = {spec.provider_type for spec in discovery.built_in().specs if spec.api == api}
    return {name for name in types if f"| `{name}` |" not in guide}
