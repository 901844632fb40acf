"""`storage show`: what is kept, by kind: how many, how much, how old, where; and the databases, with their copies."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runtime.admin.storage.analytics import STORE as ANALYTICS
from runtime.admin.storage.kept import Kept, StorePlace, kept_by, kind_of
from runtime.clock import wall_time
from runtime.storage.analytics.tables import AnalyticsTable
from runtime.storage.kv import KeyValueStore
from runtime.storage.placement import file_of
from runtime.storage.sql.conditions import ALL
from runtime.storage.sql.measuring import Measured, measure
from runtime.storage.sql.store import SqlStore
from runtime.storage.sql.tables import Table
from runtime.storage.sqlite.files import size_of
from runtime.storage.state_folder import is_held

_KEYS_AT_ONCE = 200


async def show(run_yaml: Path, state_dir: Path) -> dict[str, Any]:
    """`kept`: a row for each kind; `backends`; `state_dir`. Raises ConfigInvalid, Unavailable."""
    now = wall_time()
    async with kept_by(run_yaml, state_dir) as kept:
        rows = []
        for place, store in kept.tables:
            for table in store.schema.tables:
                retention_s = kept.storage.retention.get(table.holds) if table.aged_by else None
                shown = await _of_table(place.backend, place.name, store, table, now)
                rows.append({**shown, "retention_s": retention_s})
        for backend, store in kept.foreign:
            rows += [
                {**await _of_table(backend, None, store, table, now), "retention_s": None}
                for table in store.schema.tables
            ]
        for place, keys in kept.keys:
            rows.append(await _of_keys(place, keys))
        for aged in kept.analytics.tables:
            rows.append(await _of_analytics(kept, aged))
        rows = [row for row in rows if row["count"] or (row["store"] and row["is_kind"])]
        rows.sort(key=lambda row: (not row["is_kind"], row["kind"], row["store"] or ""))
        where = {"state_dir": str(state_dir), "in_use": is_held(state_dir)}
        return {**where, "kept": rows, "backends": _backends(kept), "copies": await copies_of(kept)}


async def copies_of(kept: Kept) -> list[dict[str, Any]]:
    """The copies from before migrations. Raises Unavailable."""
    return [
        {"name": copy.name, "backend": name, "of": copy.of, "made_at": iso(copy.made_at), "size_bytes": copy.size_bytes}
        for name, database in kept.databases.items()
        for copy in await database.copies()
    ]


def iso(seconds: float | None) -> str | None:
    """A time in seconds since 1970 as JSON shows it."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


async def _of_table(backend: str, name: str | None, store: SqlStore, table: Table, now: float) -> dict[str, Any]:
    """name: of the store; None for one that is none of the run config's."""
    found = await measure(store, table, ALL, now=now)
    facts = {"kind": kind_of(store, table), "is_kind": bool(table.holds), "store": name, "backend": backend}
    return {**facts, **measured(found), "can_be_pruned": bool(name and table.holds and table.aged_by)}


def measured(found: Measured) -> dict[str, Any]:
    """A measure as JSON shows it."""
    sizes = {"count": found.count, "size_bytes": found.size_bytes, "outside_bytes": found.outside_bytes}
    return {**sizes, "oldest": iso(found.oldest), "newest": iso(found.newest)}


async def _of_keys(place: StorePlace, keys: KeyValueStore) -> dict[str, Any]:
    count = size_bytes = 0
    after: str | None = None
    while page := await keys.scan("", after=after, limit=_KEYS_AT_ONCE):
        count += len(page)
        size_bytes += sum(len(key.encode()) + len(value) for key, value in page)
        after = page[-1][0]
    found = measured(Measured(count=count, size_bytes=size_bytes))
    [kind] = place.kinds[:1] or (place.name,)
    facts = {"kind": kind, "is_kind": True, "store": place.name, "backend": place.backend}
    return {**facts, **found, "can_be_pruned": False, "retention_s": None}


async def _of_analytics(kept: Kept, table: AnalyticsTable) -> dict[str, Any]:
    found = await kept.analytics.measure(table)
    facts = {"kind": table.name, "is_kind": True, "store": ANALYTICS, "backend": ANALYTICS}
    ages = {"can_be_pruned": table.aged_by is not None, "retention_s": kept.storage.retention.get(table.name)}
    return {**facts, **measured(found), **ages}


def _backends(kept: Kept) -> list[dict[str, Any]]:
    used = {place.backend for place in kept.places}
    rows = []
    for name, config in kept.storage.backends.items():
        if name in used:
            file = file_of(config, kept.state_dir)
            size_bytes = None if file is None else size_of(file)
            place = None if file is None else str(file)
            rows.append({"name": name, "type": config.type, "file": place, "size_bytes": size_bytes})
    if kept.analytics.file is not None:
        file = kept.analytics.file
        rows.append({"name": ANALYTICS, "type": "duckdb", "file": str(file), "size_bytes": size_of(file, "{}.wal")})
    return rows
