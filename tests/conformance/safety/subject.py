"""The providers of shields that come with us: each module of `subjects/`, named as its provider, has `SUBJECTS`."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

from runtime.conformance.subjects import Kind

FOLDER = Path(__file__).parent / "subjects"


def found() -> dict[str, Kind]:
    """Each by the names of its module and its own."""
    kinds: dict[str, Kind] = {}
    for name in held():
        module = importlib.import_module(f"{__package__}.subjects.{name}")
        kinds |= {f"{name}-{own}": kind for own, kind in module.SUBJECTS.items()}
    return kinds


def held() -> list[str]:
    """The names of the modules."""
    return sorted(module.name for module in pkgutil.iter_modules([str(FOLDER)]))
