"""`storage import`: an archive of `export` into the databases of another run config, or of the same.

The stack is opened first, so that all of its tables are there as this version has them; no server may run on its state
meanwhile. What has come is read again from its database, and compared with the archive.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote

from runtime.admin.storage.archive import Digest, Member, Reader
from runtime.admin.storage.export import ROWS_AT_ONCE, Tell, about, folder_of, part_of, tables_of
from runtime.admin.storage.holders import holders_in, opened
from runtime.admin.storage.kept import Kept, kept_by, keys_of
from runtime.admin.storage.lines import entry_of, line_of, line_of_entry, row_of
from runtime.admin.storage.pulled import pieces_of
from runtime.errors import Conflict, NotSupported, RequestError, StackError
from runtime.provider import HoldsBytes
from runtime.storage import state_folder
from runtime.storage.kv import Entry, KeyValueStore, Put
from runtime.storage.sql import Insert, Select, Totals
from runtime.storage.sql.keys import with_keys
from runtime.storage.sql.store import Row, SqlStore
from runtime.storage.sql.tables import Table

_BATCH_BYTES = 8 * 1024**2


@dataclass(kw_only=True)
class _Target:
    """Where a part of an archive goes. read: what the archive has of it; found: what the database has of that
    afterwards, and what was left out. added: rows that were not there before; different: those that were, and are not
    the archive's; left_out: those that have expired since the export, and parts of what is not here.
    """

    part: Mapping[str, Any]
    read: Digest = field(default_factory=Digest)
    found: Digest = field(default_factory=Digest)
    added: int = 0
    different: int = 0
    left_out: int = 0
    store: SqlStore | None = None
    table: Table | None = None
    keys: KeyValueStore | None = None
    holder: HoldsBytes | None = None

    async def is_empty(self) -> bool:
        if self.store is not None and self.table is not None:
            return (await self.store.totals(Totals(self.table)))["count"] == 0
        return self.keys is None or not await self.keys.scan("", limit=1)


async def import_archive(
    run_yaml: Path,
    state_dir: Path,
    *,
    stream: BinaryIO,
    merge: bool,
    skipped: Collection[str],
    is_trial: bool,
    tell: Tell,
) -> dict[str, Any]:
    """`parts`: of each what came, how much of that is new, and whether all is as in the archive. merge: rows that are
    there stay as they are; skipped: kinds that are left out; is_trial: only what the archive says and whether it fits.

    Raises RequestError for an archive that is none or not whole, Conflict while a server runs or where something is
    there without merge, NotSupported for what this stack cannot keep, ConfigInvalid, Unavailable.
    """
    archive = Reader(stream)
    if not is_trial:
        state_folder.hold(state_dir, holder=f"`llama stack storage import`, pid {os.getpid()}")
    async with AsyncExitStack() as held:
        stack = None if is_trial else await held.enter_async_context(opened(run_yaml, state_dir))
        kept = await held.enter_async_context(kept_by(run_yaml, state_dir))
        holders = {} if stack is None else holders_in(stack, kept, with_remote=True)
        targets = _targets(archive, kept, holders, skipped=skipped, is_trial=is_trial)
        if not merge:
            await _check_empty(targets.values())
        for member in archive.members():
            target = targets.get(member.folder)
            if target is None:  # it is skipped, and so is what it has
                continue
            if member.name.startswith("bytes/"):
                await _take_bytes(target, member, is_trial=is_trial)
            else:
                await _take_rows(target, member, is_trial=is_trial)
                tell(str(target.part["kind"]), target.read.rows)
    return {"parts": [_compared(archive, folder, target, is_trial=is_trial) for folder, target in targets.items()]}


def _targets(
    archive: Reader, kept: Kept, holders: Mapping[str, HoldsBytes], *, skipped: Collection[str], is_trial: bool
) -> dict[str, _Target]:
    """Where each folder goes. Raises NotSupported, Conflict or RequestError for what cannot go anywhere here."""
    tables = {folder_of(place, table): (place, store, table) for place, store, table in tables_of(kept)}
    places = {place.name: place for place in kept.places}
    key_places = {folder_of(place): place for place in kept.places if place.family == "kv"}
    there = {place.name: keys for place, keys in kept.keys}
    found: dict[str, _Target] = {}
    missing = []
    for folder, part in archive.head["parts"].items():
        if not isinstance(part, dict) or not isinstance(part.get("store"), str) or "kind" not in part:
            raise RequestError(f"the archive does not say what `{folder[:100]}` is", code="archive_invalid")
        if part["kind"] in skipped:
            continue
        if folder in tables:
            place, store, table = tables[folder]
            _check_fits(part, part_of(place, store, table))
            holder = holders.get(place.name) if table.pruned == "expire" else None
            found[folder] = _Target(part=part, store=store, table=table, holder=holder)
        elif folder in key_places:
            place = key_places[folder]
            keys = there.get(place.name) if is_trial else keys_of(place, kept.stores)
            found[folder] = _Target(part=part, keys=keys)
        elif is_trial and part["store"] in places and places[part["store"]].family == part.get("family"):
            found[folder] = _Target(part=part)  # its tables are made when it is meant
        else:
            missing.append(str(part["kind"]))
    if missing:
        raise NotSupported(
            f"nothing in this run config keeps what the archive has of {', '.join(dict.fromkeys(missing))}",
            hint=f"give it the APIs and providers that do, or leave it out with `--skip {missing[0]}`",
        )
    return found


def _check_fits(part: Mapping[str, Any], here: Mapping[str, Any]) -> None:
    if part != here:
        versions = f"version {part.get('version')} of `{part.get('schema')}`, here it is {here['version']}"
        raise Conflict(
            f"the tables of the store `{here['store']}` are others in the archive: {versions}",
            hint="export it with the version that imports it",
        )


async def _check_empty(targets: Iterable[_Target]) -> None:
    full = [str(target.part["kind"]) for target in targets if not await target.is_empty()]
    if full:
        raise Conflict(
            f"something is kept here already: {', '.join(dict.fromkeys(full))}",
            hint="import into a new stack, or add to it with `--merge`, which changes nothing that is there",
        )


async def _take_bytes(target: _Target, member: Member, *, is_trial: bool) -> None:
    row = {"id": unquote(member.name.removeprefix("bytes/")), "size_bytes": member.size_bytes}
    target.read.files += 1
    content = _counted(target.read, member)
    if is_trial or await _is_there(target, row):
        async for _ in content:
            pass
        return
    if target.holder is None or target.table is None:
        raise NotSupported("nothing in this run config can keep the bytes of files", hint="add a provider of files")
    await target.holder.keep_bytes(target.table.name, row, content)


async def _counted(digest: Digest, member: Member) -> AsyncIterator[bytes]:
    async for data in pieces_of(member):
        digest.add_bytes(data)
        yield data


async def _is_there(target: _Target, row: Row) -> bool:
    assert target.store is not None and target.table is not None
    return await target.store.first(Select(target.table, with_keys(target.table, [row]), target.table.key)) is not None


async def _take_rows(target: _Target, member: Member, *, is_trial: bool) -> None:
    for lines in _batches(member):
        for line in lines:
            target.read.add_line(line)
        if is_trial:
            continue
        if target.store is not None and target.table is not None:
            await _write_rows(target, target.store, target.table, lines)
        else:
            assert target.keys is not None
            await _write_keys(target, target.keys, lines)


async def _write_rows(target: _Target, store: SqlStore, table: Table, lines: Sequence[bytes]) -> None:
    given = [(line, row_of(table, line)) for line in lines]
    rows = await _with_owner(store, table, [row for _, row in given])
    target.added += sum(await store.write(*(Insert(table, row, replace=()) for row in rows)))
    found = await store.select(Select(table, with_keys(table, rows)))
    by_key = {_key(table.key, row): row for row in found}
    for line, row in given:
        if row not in rows:
            _leave_out(target, line)
            continue
        now = by_key.get(_key(table.key, row))
        _compare(target, line, None if now is None else line_of(table, now))
        if now is not None and target.holder is not None:
            content = target.holder.bytes_of(table.name, now)
            if content is not None:
                target.found.files += 1
                async for data in content:
                    target.found.add_bytes(data)


async def _with_owner(store: SqlStore, table: Table, rows: list[Row]) -> list[Row]:
    """Without those whose owner is not there, since it came while the archive was written, or was skipped."""
    if table.part_of is None or table.pruned == "expire":
        return rows
    owner, columns = store.schema.table(table.part_of.table), table.part_of.columns
    keys = [dict(zip(owner.key, _key(columns, row), strict=True)) for row in rows]
    there = await store.select(Select(owner, with_keys(owner, keys), owner.key))
    known = {_key(owner.key, row) for row in there}
    return [row for row in rows if _key(columns, row) in known]


def _key(columns: Sequence[str], row: Row) -> tuple[Any, ...]:
    return tuple(row[column] for column in columns)


async def _write_keys(target: _Target, keys: KeyValueStore, lines: Sequence[bytes]) -> None:
    for line in lines:
        given = entry_of(line)
        put = Put(given.key, given.value, expires_at=given.expires_at)
        is_new = not _has_expired(given) and await keys.write(put, expected={given.key: None})
        now = next((entry for entry in await keys.entries(given.key, limit=1) if entry.key == given.key), None)
        if _has_expired(given):
            _leave_out(target, line)
            continue
        target.added += is_new
        _compare(target, line, None if now is None else line_of_entry(now))


def _has_expired(entry: Entry) -> bool:
    return entry.expires_at is not None and entry.expires_at <= time.time()


def _leave_out(target: _Target, line: bytes) -> None:
    target.left_out += 1
    target.found.add_line(line)


def _compare(target: _Target, line: bytes, now: bytes | None) -> None:
    target.different += line != now
    target.found.add_line(now or b"")


def _batches(member: Member) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size_bytes = 0
    for line in member.lines():
        batch.append(line)
        size_bytes += len(line)
        if len(batch) == ROWS_AT_ONCE or size_bytes >= _BATCH_BYTES:
            yield batch
            batch, size_bytes = [], 0
    if batch:
        yield batch


def _compared(archive: Reader, folder: str, target: _Target, *, is_trial: bool) -> dict[str, Any]:
    """What a report says. Raises RequestError where the archive is not as its manifest says, StackError where what was
    not there before is not as in the archive.
    """
    read = target.read.document()
    stated = (archive.manifest or {}).get(folder)
    if stated != read:
        raise RequestError(f"the archive is damaged: `{folder}` is not as its end says", code="archive_invalid")
    is_same = target.found.document() == read
    if not (is_trial or is_same or target.different):
        raise StackError(f"what has come of {target.part['kind']} is not what is in the archive")
    outcome = {"added": target.added, "different": target.different, "left_out": target.left_out, "is_same": is_same}
    return {**about(target.part), **read, **(dict.fromkeys(outcome) if is_trial else outcome)}
