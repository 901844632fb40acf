"""The providers of datasets that come with us: each module of `subjects/` has a `KIND`, listed nowhere."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

from runtime.conformance.subjects import Kind


def found() -> dict[str, Kind]:
    """Each by the name of its module."""
    folder = f"{__package__}.subjects"
    names = sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).parent / "subjects")]))
    return {name: importlib.import_module(f"{folder}.{name}").KIND for name in names}
