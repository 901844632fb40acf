"""`storage import`: an archive of `export` into the databases of another run config, or of the same.

The stack is opened first, so that all of its tables are there as this version has them; no server may run on its state
meanwhile. What has come is read again from its database, and compared with the archive.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote

from runtime.admin.storage.archive import Digest, Member, Reader
from runtime.admin.storage.export import ROWS_AT_ONCE, Tell, about, folder_of, part_of, tables_of
from runtime.admin.storage.holders import holders_in, opened
from runtime.admin.storage.kept import Kept, kept_by, keys_of
from runtime.admin.storage.pulled import pieces_of
from runtime.admin.storage.targets import AnalyticsTarget, KeysTarget, TableTarget, Target
from runtime.errors import Conflict, NotSupported, RequestError, StackError
from runtime.provider import HoldsBytes
from runtime.storage import state_folder
from runtime.storage.analytics.tables import AnalyticsTable

_BATCH_BYTES = 8 * 1024**2
_NO_VERSIONS = {"version": 0, "rows_version": 0}


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
    async with AsyncExitStack() as held:
        if not is_trial:
            holder = f"`llama stack storage import`, pid {os.getpid()}"
            held.enter_context(state_folder.hold(state_dir, holder=holder))
        stack = None if is_trial else await held.enter_async_context(opened(run_yaml, state_dir))
        kept = await held.enter_async_context(kept_by(run_yaml, state_dir))
        holders = {} if stack is None else holders_in(stack, kept, with_remote=True)
        targets = dict(_targets(archive, kept, holders, skipped=skipped, is_trial=is_trial))
        for folder, table in _analytics_in(archive, skipped=skipped):
            known = (*kept.analytics.tables, *(stack.analytics() if stack else ()))
            here = next((one for one in known if one.name == table.name), None)
            part = archive.head["parts"][folder]
            if here is not None:
                targets[folder] = await _analytics_target(part, table, here, kept)
            elif is_trial and (table.aged_by is None or table.name in kept.declared_kinds):
                targets[folder] = Target(part)  # whether somebody uses it is known when it is meant
        _check_known(archive, targets, skipped=skipped)
        for target in targets.values():
            held.push_async_callback(target.close)
        if not merge:
            await _check_empty(targets.values())
        for member in archive.members():
            if member.folder not in targets:  # it is skipped, and so is what it has
                continue
            target = targets[member.folder]
            if member.name.startswith("bytes/"):
                await _take_bytes(target, member, is_trial=is_trial)
            else:
                await _take_rows(target, member, is_trial=is_trial)
                tell(str(target.part["kind"]), target.read.rows)
        for folder, target in targets.items():
            _check_whole(archive, folder, target)
        for target in targets.values():
            await target.finish()
    return {"parts": [_compared(target, is_trial=is_trial) for target in targets.values()]}


def _parts(archive: Reader, *, skipped: Collection[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for folder, part in archive.head["parts"].items():
        if not isinstance(part, dict) or not isinstance(part.get("store"), str) or "kind" not in part:
            raise RequestError(f"the archive does not say what `{folder[:100]}` is", code="archive_invalid")
        if part["kind"] not in skipped:
            yield folder, part


def _targets(
    archive: Reader, kept: Kept, holders: Mapping[str, HoldsBytes], *, skipped: Collection[str], is_trial: bool
) -> Iterator[tuple[str, Target]]:
    """Where each folder of a store goes. Raises Conflict or RequestError for what does not fit."""
    tables = {folder_of(place, table): (place, store, table) for place, store, table in tables_of(kept)}
    places = {place.name: place for place in kept.places}
    key_places = {folder_of(place): place for place in kept.places if place.family == "kv"}
    there = {place.name: keys for place, keys in kept.keys}
    for folder, part in _parts(archive, skipped=skipped):
        if folder in tables:
            place, store, table = tables[folder]
            _check_fits(part, part_of(place, store, table))
            yield folder, TableTarget(part, store, table, holders.get(place.name) if table.pruned == "expire" else None)
        elif folder in key_places:
            place = key_places[folder]
            keys = there.get(place.name) if is_trial else keys_of(place, kept.stores)
            yield folder, Target(part) if keys is None else KeysTarget(part, keys)
        elif is_trial and part["store"] in places and places[part["store"]].family == part.get("family"):
            yield folder, Target(part)  # its tables are made when it is meant


def _analytics_in(archive: Reader, *, skipped: Collection[str]) -> Iterator[tuple[str, AnalyticsTable]]:
    for folder, part in _parts(archive, skipped=skipped):
        if part.get("family") == "analytics":
            try:
                yield folder, AnalyticsTable.of(part)
            except ValueError as error:
                raise RequestError(
                    f"the archive does not say what `{folder[:100]}` is", code="archive_invalid"
                ) from error


async def _analytics_target(part: Mapping[str, Any], table: AnalyticsTable, here: AnalyticsTable, kept: Kept) -> Target:
    """table: as in the archive. Raises Conflict for one that is another here."""
    if here.aged_by != table.aged_by or not {*table.columns} <= {*here.columns}:
        raise Conflict(
            f"the table `{table.name}` of analytics has other columns in the archive",
            hint="export it with the version that imports it",
        )
    is_there = any(one.name == table.name for one in kept.analytics.tables)
    is_empty = not is_there or (await kept.analytics.measure(here)).count == 0
    kept.analytics.handle.add(here)
    return AnalyticsTarget(part, kept.analytics.handle, table, is_empty=is_empty)


def _check_known(archive: Reader, targets: Mapping[str, Target], *, skipped: Collection[str]) -> None:
    missing = [str(part["kind"]) for folder, part in _parts(archive, skipped=skipped) if folder not in targets]
    if missing:
        kinds = [*dict.fromkeys(missing)]
        without = " ".join(f"--skip {kind}" for kind in kinds)
        raise NotSupported(
            f"nothing in this run config keeps what the archive has of {', '.join(kinds)}",
            hint=f"give it the APIs and providers that do, or leave it out: `{without}`",
        )


def _check_fits(part: Mapping[str, Any], here: Mapping[str, Any]) -> None:
    """Raises Conflict unless its rows are the same in this version as in that of the archive."""
    version = part.get("version")
    since = part.get("rows_version", version)  # older versions did not say
    are_known = isinstance(version, int) and isinstance(since, int)
    have_same_rows = are_known and max(since, here["rows_version"]) <= min(version, here["version"])
    if have_same_rows and {**part, **_NO_VERSIONS} == {**here, **_NO_VERSIONS}:
        return
    again = "start what it is from with this version, which migrates its tables, and export it again"
    raise Conflict(
        f"the tables of the store `{here['store']}` are others in the archive:"
        f" version {version} of `{part.get('schema')}`, here it is {here['version']}",
        hint=again if are_known and version < here["version"] else "import it with the version that exported it",
    )


async def _check_empty(targets: Iterable[Target]) -> None:
    full = [str(target.part["kind"]) for target in targets if not await target.is_empty()]
    if full:
        raise Conflict(
            f"something is kept here already: {', '.join(dict.fromkeys(full))}",
            hint="import into a new stack, or add to it with `--merge`, which changes nothing that is there",
        )


async def _take_bytes(target: Target, member: Member, *, is_trial: bool) -> None:
    row = {"id": unquote(member.name.removeprefix("bytes/")), "size_bytes": member.size_bytes}
    target.read.files += 1
    content = _counted(target.read, member)
    await (Target.take_bytes(target, row, content) if is_trial else target.take_bytes(row, content))


async def _counted(digest: Digest, member: Member) -> AsyncIterator[bytes]:
    async for data in pieces_of(member):
        digest.add_bytes(data)
        yield data


async def _take_rows(target: Target, member: Member, *, is_trial: bool) -> None:
    for lines in _batches(member):
        for line in lines:
            target.read.add_line(line)
        if not is_trial:
            await target.take(lines)


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


def _check_whole(archive: Reader, folder: str, target: Target) -> None:
    """Raises RequestError where the archive is not as its manifest says."""
    if (archive.manifest or {}).get(folder) != target.read.document():
        raise RequestError(f"the archive is damaged: `{folder}` is not as its end says", code="archive_invalid")


def _compared(target: Target, *, is_trial: bool) -> dict[str, Any]:
    """What a report says. Raises StackError where what was not there before is not as in the archive."""
    read = target.read.document()
    is_same = target.found.document() == read
    if not (is_trial or is_same or target.different):
        raise StackError(f"what has come of {target.part['kind']} is not what is in the archive")
    outcome = {"added": target.added, "different": target.different, "left_out": target.left_out, "is_same": is_same}
    return {**about(target.part), **read, **(dict.fromkeys(outcome) if is_trial else outcome)}
