"""`storage export`: everything that a stack keeps, into one archive, whatever databases it is in.

A server may run meanwhile: each row is whole, and what comes or goes meanwhile is in it or not.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from runtime import __version__
from runtime.admin.storage import analytics
from runtime.admin.storage.archive import Writer
from runtime.admin.storage.holders import holders_in, opened
from runtime.admin.storage.kept import Kept, StorePlace, kept_by, kind_of
from runtime.admin.storage.lines import line_of, line_of_entry
from runtime.admin.storage.pulled import AT_ONCE, Pulled
from runtime.admin.storage.show import iso
from runtime.clock import wall_time
from runtime.errors import NotFound, StackError
from runtime.provider import HoldsBytes
from runtime.storage.analytics.tables import AnalyticsTable
from runtime.storage.kv import KeyValueStore
from runtime.storage.sql.ageing import not_expired
from runtime.storage.sql.keys import pages_of
from runtime.storage.sql.statements import Select
from runtime.storage.sql.store import SqlStore
from runtime.storage.sql.tables import Table

ROWS_AT_ONCE = 50
_KEYS_AT_ONCE = 200
Tell = Callable[[str, int], None]
"""Takes a kind, and how many of it have been moved."""


async def export(run_yaml: Path, state_dir: Path, *, stream: BinaryIO, tell: Tell) -> dict[str, Any]:
    """`parts`: what went into the archive, with counts and checksums. Raises ConfigInvalid, Unavailable, and StackError
    for an archive that cannot be written.
    """
    async with AsyncExitStack() as held:
        kept = await held.enter_async_context(kept_by(run_yaml, state_dir))
        tables = {
            folder_of(place, table): (place, store, table)
            for place, store, table in tables_of(kept)
            if await store.first(Select(table, columns=table.key, limit=1)) is not None
        }
        keys = {folder_of(place): (place, store) for place, store in kept.keys if await store.scan("", limit=1)}
        parts = {folder: part_of(place, store, table) for folder, (place, store, table) in tables.items()}
        parts |= {folder: part_of(place) for folder, (place, _) in keys.items()}
        # What ages is read first: beside a server that writes, what it names is there before it, and stays.
        ordered = sorted(kept.analytics.tables, key=lambda table: table.aged_by is None)
        counted = {table: await kept.analytics.measure(table) for table in ordered}
        logged = {analytics.folder_of(table): table for table, found in counted.items() if found.count}
        parts |= {folder: analytics.part_of(table) for folder, table in logged.items()}
        holders: Mapping[str, HoldsBytes] = {}
        if any(table.pruned == "expire" for _, _, table in tables.values()):
            holders = holders_in(await held.enter_async_context(opened(run_yaml, state_dir, only=kept)), kept)
        try:
            archive = Writer(stream, parts, {"made_at": iso(wall_time()), "by": __version__})
            for folder, (place, store, table) in tables.items():
                holder = holders.get(place.name) if table.pruned == "expire" else None
                await _add_table(archive, folder, store, table, holder, tell)
            for folder, (place, each) in keys.items():
                await _add_keys(archive, folder, kind_at(place), each, tell)
            for folder, appended in logged.items():
                await _add_analytics(archive, folder, kept, appended, tell)
            manifest = archive.close()
        except OSError as error:
            raise StackError(f"the archive cannot be written: {error.strerror or error}") from error
    return {"parts": [{**about(parts[folder]), **digest} for folder, digest in manifest.items()]}


def tables_of(kept: Kept) -> list[tuple[StorePlace, SqlStore, Table]]:
    """All tables of the stores of a run config."""
    return [(place, store, table) for place, store in kept.tables for table in store.schema.tables]


def folder_of(place: StorePlace, table: Table | None = None) -> str:
    """The folder of an archive for one table, or for the keys of a store."""
    part = "keys" if table is None else table.name or "rows"
    return f"{quote(place.name, safe='')}-{part}"


def part_of(place: StorePlace, store: SqlStore | None = None, table: Table | None = None) -> dict[str, Any]:
    """What an archive says of such a folder; what is imported has to fit it."""
    if store is None or table is None:
        return {"store": place.name, "family": "kv", "kind": kind_at(place)}
    facts = {"store": place.name, "family": "sql", "kind": kind_of(store, table), "table": table.name}
    versions = {"version": store.schema.version, "rows_version": store.schema.rows_version}
    return {**facts, "schema": store.schema.name, **versions, "columns": dict(table.kinds)}


def kind_at(place: StorePlace) -> str:
    """What a store of keys and values holds."""
    return place.kinds[0] if place.kinds else place.name


def about(part: Mapping[str, Any]) -> dict[str, Any]:
    """What a report says of a part."""
    return {"kind": part["kind"], "store": part["store"]}


async def _add_table(
    archive: Writer, folder: str, store: SqlStore, table: Table, holder: HoldsBytes | None, tell: Tell
) -> None:
    """Its rows; before each what its holder has for it. Without one, that stays where it is."""
    count, loop = 0, asyncio.get_running_loop()
    async for rows in pages_of(store, table, where=not_expired(table, wall_time()), at_once=ROWS_AT_ONCE):
        for row in rows:
            if holder is not None:
                name, size_bytes = quote(row["id"], safe=""), int(row["size_bytes"])
                stream = io.BufferedReader(Pulled(holder.bytes_of(table.name, row), loop), AT_ONCE)
                try:
                    await asyncio.to_thread(stream.peek)  # before the archive is told of it
                except NotFound:  # deleted meanwhile, and so its row
                    continue
                await asyncio.to_thread(archive.add_file, folder, name, size_bytes, stream)
            archive.add_row(folder, line_of(table, row))
            count += 1
        tell(kind_of(store, table), count)
    archive.end_part(folder)


async def _add_analytics(archive: Writer, folder: str, kept: Kept, table: AnalyticsTable, tell: Tell) -> None:
    count = 0
    async with aclosing(kept.analytics.source.lines(table)) as found:
        async for lines in found:
            for line in lines:
                archive.add_row(folder, line)
            count += len(lines)
            tell(table.name, count)
    archive.end_part(folder)


async def _add_keys(archive: Writer, folder: str, kind: str, keys: KeyValueStore, tell: Tell) -> None:
    after: str | None = None
    count = 0
    while page := await keys.entries("", after=after, limit=_KEYS_AT_ONCE):
        for entry in page:
            archive.add_row(folder, line_of_entry(entry))
        after, count = page[-1].key, count + len(page)
        tell(kind, count)
    archive.end_part(folder)
