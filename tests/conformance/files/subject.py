"""The providers of files that come with us: each module of `subjects/` has a `subject`. They share their tables."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from runtime.conformance.files.subject import Subject
from runtime.conformance.stacks import Served, adapter_of
from runtime.conformance.subjects import Kind
from runtime.providers.files._shared.tables import BEGUN, FILES, PARTS
from runtime.storage.sql import Select


def found() -> dict[str, Kind]:
    """Each by the name of its module."""
    folder = f"{__package__}.subjects"
    names = sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).parent / "subjects")]))
    return {name: Kind(make=importlib.import_module(f"{folder}.{name}").subject) for name in names}


def ours(entry: Mapping[str, Any], kept: Callable[[], Awaitable[list[str]]]) -> Subject:
    """A subject whose tables are the shared ones."""
    return Subject(entry=entry, kept=kept, known=rows_of, collect=collect)


async def collect(served: Served) -> None:
    await adapter_of(served.stack, "files").collect_now()


async def rows_of(served: Served) -> list[str]:
    """The ids of every file and part that the tables know, in whatever state."""
    store = adapter_of(served.stack, "files")._store
    return [row["id"] for table in (FILES, PARTS) for row in await store.select(Select(table, columns=("id",)))]


async def begun_in(served: Served) -> list[str]:
    """The ids under which bytes may have begun to be kept."""
    store = adapter_of(served.stack, "files")._store
    return [row["id"] for row in await store.select(Select(BEGUN, columns=("id",), order=("id",)))]
