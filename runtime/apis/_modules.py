"""What the modules of a package state, found by looking into its folder."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from typing import Any


def values_in(package: str, name: str) -> tuple[Any, ...]:
    """The value of this name in each module of a package, in the order of their names. Those that begin with an
    underscore are what the others share.
    """
    found = sorted(module.name for module in pkgutil.iter_modules(sys.modules[package].__path__))
    return tuple(getattr(importlib.import_module(f"{package}.{one}"), name) for one in found if one[0] != "_")
