"""The providers of files that come with us: each module of `subjects/` has a `subject`. They share their tables."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

from runtime.conformance.stacks import Served, adapter_of
from runtime.conformance.subjects import Kind
from runtime.providers.files._shared.tables import BEGUN
from runtime.storage.sql import Select


def found() -> dict[str, Kind]:
    """Each by the name of its module."""
    folder = f"{__package__}.subjects"
    names = sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).parent / "subjects")]))
    return {name: Kind(make=importlib.import_module(f"{folder}.{name}").subject) for name in names}


async def begun_in(served: Served) -> list[str]:
    """The ids under which bytes may have begun to be kept."""
    store = adapter_of(served.stack, "files")._store
    return [row["id"] for row in await store.select(Select(BEGUN, columns=("id",), order=("id",)))]
