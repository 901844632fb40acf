"""Where to find the vector databases that come with us: each module of `subjects/` has a `KIND`, listed nowhere."""

from __future__ import annotations

import importlib
import pkgutil

from runtime import discovery
from runtime.conformance.vector_io.subject import Kind
from runtime.spec import Spec
from tests.conformance.vector_io import subjects


def built_in(provider_type: str) -> Spec:
    """The spec of one that comes with us."""
    return discovery.built_in().by_type["vector_io", provider_type]


def found() -> dict[str, Kind]:
    """Every kind by the name of its module."""
    names = sorted(module.name for module in pkgutil.iter_modules(subjects.__path__))
    return {name: importlib.import_module(f"{subjects.__name__}.{name}").KIND for name in names}
