"""All datasets of a provider: what changes and what reads them. It blocks, so threads call it; whoever changes a
dataset sees to it that nobody else does.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from runtime.clock import stamp
from runtime.errors import RequestError
from runtime.invalid.vocabulary import shortened
from runtime.providers.datasetio.localfs.asked import Asked
from runtime.providers.datasetio.localfs.config import LocalRowsConfig
from runtime.providers.datasetio.localfs.csv_rows import CsvRows
from runtime.providers.datasetio.localfs.engine import Engine
from runtime.providers.datasetio.localfs.formats import (
    check_columns,
    decompressed,
    format_of,
    is_compressed,
)
from runtime.providers.datasetio.localfs.given import Given
from runtime.providers.datasetio.localfs.joining import Joining
from runtime.providers.datasetio.localfs.json_rows import JsonRows, rows_as_lines
from runtime.providers.datasetio.localfs.kinds import Kind, merged
from runtime.providers.datasetio.localfs.manifest import (
    ALGORITHM,
    NO_ROWS,
    Manifest,
    Part,
    Version,
    Written,
    digest_of,
    extended,
    without_last,
)
from runtime.providers.datasetio.localfs.parts import GROUP_ROWS, Writer
from runtime.providers.datasetio.localfs.places import Places
from runtime.providers.datasetio.localfs.reading import Reading, Wanted, with_version
from runtime.storage.analytics.interrupting import Interruptible

_TOGETHER = 16
"""So many small parts, and one that is added to them, become one."""


class Library:
    """Raises Unavailable, here and in every method."""

    def __init__(self, places: Places, config: LocalRowsConfig) -> None:
        self._places = places
        self._config = config
        self._engine = Engine(places.folder, places.temporary, memory_limit=config.memory_limit, threads=config.threads)
        self._reading = Reading(self._engine)

    def close(self) -> None:
        self._engine.close()

    def add_files(self, key: str, begun: Manifest, files: Sequence[Given], folder: Path, *, is_new: bool) -> Manifest:
        """Let the rows of some files be a dataset's latest version. begun: the dataset before that. folder: for what is
        not whole yet. Raises RequestError for what is wrong in a file.
        """
        writer = Writer(self._engine, folder)
        parts = (written for given in files for written in self._of_source(writer, given, folder))
        return self._add(key, begun, writer, parts, is_new=is_new)

    def add_rows(self, key: str, begun: Manifest, rows: list[Any], folder: Path, *, is_new: bool) -> Manifest:
        """The same of rows that somebody gave."""
        writer = Writer(self._engine, folder)
        return self._add(key, begun, writer, writer.of_file(_given(rows)), is_new=is_new)

    def append(self, key: str, before: Manifest, rows: list[Any], folder: Path) -> Manifest:
        """Let a dataset have more rows. Raises RequestError for rows that cannot be kept."""
        writer, latest = Writer(self._engine, folder), before.latest
        new = list(writer.of_file(_given(rows)))
        if not new:
            return before
        state, columns = self._described(writer, new, latest.state, latest.columns)
        there = before.parts_of(latest)
        count = small_before(there, new[0].part.rows) if len(new) == 1 else 0
        if count:
            own = self._places.folder_of(key)
            small = [(own / part.file, part) for part in there[-count:]]
            new = [writer.of_parts([*small, (new[0].path, new[0].part)])]
        begin = len(before.parts)
        version = Version(
            digest=digest_of(state, [name for name, _ in columns]),
            state=state,
            rows=sum(part.rows for part in there[: len(there) - count]) + sum(one.part.rows for one in new),
            columns=columns,
            parts=extended(without_last(latest.parts, count), begin, begin + len(new)),
            created_at=int(stamp()),
        )
        return self._kept(key, before.with_parts([one.part for one in new], version), new)

    def page(self, key: str, version: Version, parts: Sequence[Part], asked: Asked, work: Interruptible) -> bytes:
        """The JSON of a page. Interrupted by `work`."""
        wanted = Wanted(
            digest=version.digest,
            folder=self._places.folder_of(key),
            parts=parts,
            names=asked.names,
            start=asked.start,
            limit=asked.limit,
            limit_bytes=self._config.max_page_bytes,
            where=asked.where,
        )
        return with_version(self._reading.page(wanted, work), ALGORITHM + version.digest)

    def _add(self, key: str, begun: Manifest, writer: Writer, parts: Iterable[Written], *, is_new: bool) -> Manifest:
        new = list(parts)
        state, columns = self._described(writer, new, NO_ROWS, [])
        digest = digest_of(state, [name for name, _ in columns])
        if (same := begun.same_as(digest)) is not None:
            if same is not begun.latest:
                same = msgspec.structs.replace(same, created_at=int(stamp()))
            return self._kept(key, begun.with_parts([], same), [])
        begin = len(begun.parts)
        version = Version(
            digest=digest,
            state=state,
            rows=sum(one.part.rows for one in new),
            columns=columns,
            parts=[(begin, begin + len(new))] if new else [],
            created_at=int(stamp()),
        )
        return self._kept(key, begun.with_parts([one.part for one in new], version), new, is_new=is_new)

    def _described(
        self, writer: Writer, new: Sequence[Written], state: str, columns: list[tuple[str, Kind]]
    ) -> tuple[str, list[tuple[str, Kind]]]:
        """The state and the columns of rows, of which these are the last."""
        for one in new:
            state = writer.state_after(one, state)
            columns = merged(columns, one.part.columns)
        if new:
            check_columns(columns)
        return state, columns

    def _kept(self, key: str, manifest: Manifest, new: Sequence[Written], *, is_new: bool = False) -> Manifest:
        with self._engine.failing("written"):
            self._places.keep(key, manifest, new, is_new=is_new)
        return manifest

    def _of_source(self, writer: Writer, given: Given, folder: Path) -> Iterator[Written]:
        if given.beside is None:
            return self._of_file(writer, given, folder)
        name = given.beside.name
        try:
            beside = list(self._of_file(writer, given.beside, folder))
        except RequestError as error:
            raise error.saying(f"`{shortened(name)}`: {error.message}", param=error.param) from error
        joining = Joining(self._engine, beside, given.on, name)
        return joining.joined(list(self._of_file(writer, given, folder)), writer)

    def _of_file(self, writer: Writer, given: Given, folder: Path) -> Iterator[Written]:
        if is_compressed(given.open):
            whole = folder / f"{given.path.name}.whole"
            with self._engine.failing("written"), whole.open("xb") as file:
                decompressed(given.open, file, limit_bytes=self._config.max_source_bytes)
            given = Given(path=whole, name=given.name, content_type=given.content_type)
        match format_of(given.open, name=given.name, content_type=given.content_type):
            case "parquet":
                yield from writer.of_parquet(given.path)
            case "csv" | "tsv" as form:
                yield from writer.of_file(CsvRows(given.open, separator="\t" if form == "tsv" else None))
            case form:
                yield from writer.of_file(JsonRows(given.open, is_array=form == "json"))


def small_before(parts: Sequence[Part], rows: int) -> int:
    """How many of the last parts become one with another one of so many rows: none, or enough of about its size. So
    what is appended row by row is soon in a few parts, and each row is written again a few times at most.
    """
    count = 0
    while True:
        tier, found = _tier(rows), count
        while found < len(parts) and parts[-found - 1].rows < GROUP_ROWS and _tier(parts[-found - 1].rows) <= tier:
            found += 1
        if found - count < _TOGETHER - 1:
            return count
        rows += sum(part.rows for part in parts[len(parts) - found : len(parts) - count])
        count = found


def _tier(rows: int) -> int:
    return (rows.bit_length() - 1) // 4


def _given(rows: list[Any]) -> JsonRows:
    lines = rows_as_lines(rows)
    return JsonRows(lambda: io.BytesIO(lines), what="row")
