"""A subject whose provider is a `FileService` over a backend of its own, as ours are: it has the shared tables."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from runtime.conformance.files.subject import Subject
from runtime.conformance.stacks import Served, adapter_of
from runtime.providers.files._shared.tables import FILES, PARTS
from runtime.spec import Spec
from runtime.storage.sql import Select


def over_service(
    entry: Mapping[str, Any], kept: Callable[[], Awaitable[list[str]]], *, specs: Sequence[Spec] = ()
) -> Subject:
    """The arguments are those of `Subject`."""
    return Subject(entry=entry, kept=kept, known=rows_of, collect=collect, specs=specs)


async def rows_of(served: Served) -> list[str]:
    """The ids of every file and part that the tables know, in whatever state."""
    store = adapter_of(served.stack, "files")._store
    return [row["id"] for table in (FILES, PARTS) for row in await store.select(Select(table, columns=("id",)))]


async def collect(served: Served) -> None:
    await adapter_of(served.stack, "files").collect_now()
