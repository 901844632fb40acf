"""Writes parts: Parquet files with row groups of a few thousand rows, so that any page is found at once. A file is
whole, and on disk, before it has its name.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import chain
from pathlib import Path
from typing import Any

from runtime.errors import RequestError
from runtime.ids import new_id
from runtime.providers.datasetio.localfs import parquet_rows
from runtime.providers.datasetio.localfs.engine import Engine, reading_a_given_file
from runtime.providers.datasetio.localfs.formats import RowsFile, check_columns
from runtime.providers.datasetio.localfs.kinds import SQL_TYPES, Columns, merged
from runtime.providers.datasetio.localfs.manifest import Part, States, Written
from runtime.providers.datasetio.localfs.rendering import columns_as, quoted, row_as_such
from runtime.sse import decode

MOST_ROWS, _MOST_BYTES = 2**20, 512 * 1024**2
"""Of a part; the bytes are those of its rows as JSON."""
GROUP_ROWS, _LEAST_GROUP_ROWS, _GROUP_BYTES = 20480, 2048, 16 * 1024**2
_USUAL_LINE = 8 * 1024**2
_NO_JSON = (b"NaN", b"Infinity")


class Writer:
    """temporary: a folder, on the disk of the datasets, for what is not whole yet."""

    def __init__(self, engine: Engine, temporary: Path) -> None:
        self._engine = engine
        self._temporary = temporary

    def of_file(self, file: RowsFile) -> Iterator[Written]:
        """Parts with the rows of a file. Raises RequestError for what is wrong in it, Unavailable."""
        columns = file.columns()
        if not columns:
            return
        lines = file.lines(columns)
        for first in lines:
            yield self.of_lines(chain((first,), lines), columns)

    def of_lines(self, lines: Iterator[bytes], columns: Columns) -> Written:
        """One part with as many of the lines as it may have. Raises Unavailable."""
        given = self._new("jsonl")
        try:
            with self._engine.failing("written"):
                rows, size, longest = _write(given, lines)
            types = ", ".join(f"'c{place}': '{SQL_TYPES[kind]}'" for place, (_, kind) in enumerate(columns))
            source = (
                f"read_json({quoted(str(given))}, columns = {{{types}}}, format = 'newline_delimited',"
                f" maximum_object_size = {max(longest + 1024, _USUAL_LINE)})"
            )
            names = ", ".join(f"c{place}" for place in range(len(columns)))
            return self._copied(names, source, "", columns, rows=rows, size_bytes=size)
        finally:
            given.unlink(missing_ok=True)

    def of_parquet(self, given: Path) -> Iterator[Written]:
        """Parts with the rows of somebody's Parquet file, which is in our folder. Raises RequestError, Unavailable."""
        source = f"read_parquet({quoted(str(given))})"
        sizes = f"SELECT sum(total_uncompressed_size)::BIGINT FROM parquet_metadata({quoted(str(given))})"  # noqa: S608  # ours
        with self._engine.failing("read"), reading_a_given_file("Parquet"), self._engine.cursor() as cursor:
            found = cursor.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()  # noqa: S608  # ours
            described = [(name, kind) for name, kind, *_ in found]
            total = _integer(cursor.execute(f"SELECT count(*) FROM {source}").fetchone())  # noqa: S608  # ours
            size = _integer(cursor.execute(sizes).fetchone())
        columns = parquet_rows.columns_of(described)
        check_columns(columns)
        for begin in range(0, total, MOST_ROWS):
            rows = min(MOST_ROWS, total - begin)
            where = f" WHERE file_row_number >= {begin} AND file_row_number < {begin + rows}" if rows < total else ""
            yield self._copied(
                parquet_rows.selection(described), source, where, columns,
                rows=rows, size_bytes=size * rows // total, is_given=True,
            )  # fmt: skip

    def of_parts(self, parts: Sequence[tuple[Path, Part]]) -> Written:
        """One part with the rows of several of ours. Raises Unavailable."""
        columns: Columns = []
        for _, part in parts:
            columns = merged(columns, part.columns)
        every = " UNION ALL ".join(
            f"SELECT {columns_as(part.columns, columns)} FROM {read(path)}"  # noqa: S608  # ours
            for path, part in parts
        )
        rows, size = sum(part.rows for _, part in parts), sum(path.stat().st_size for path, _ in parts)
        return self._copied("*", f"({every})", "", columns, rows=rows, size_bytes=size)

    def of_query(self, sql: str, columns: Columns, *, order: str, rows: int, size_bytes: int) -> Written:
        """One part with the rows that a query of ours finds. order: a column of the query, by which they are ordered.
        Raises Unavailable.
        """
        names = ", ".join(f"c{place}" for place in range(len(columns)))
        return self._copied(names, f"({sql})", f" ORDER BY {order}", columns, rows=rows, size_bytes=size_bytes)

    def state_after(self, written: Written, before: str) -> str:
        """The state of the rows of a dataset, of which these are the last; before: that without them. Raises
        RequestError for a value that JSON does not have, Unavailable.
        """
        sql = f"SELECT {row_as_such(written.part.columns)} FROM {read(written.path)}"  # noqa: S608  # ours
        states, number = States(before), 0
        for texts in self._engine.texts(sql):
            rows = [text.encode() for text in texts]
            for row in rows:
                number += 1
                if any(word in row for word in _NO_JSON):
                    _check_json(row, number)
            states.add(iter(rows))
        return states.state

    def _copied(
        self,
        selected: str,
        source: str,
        where: str,
        columns: Columns,
        *,
        rows: int,
        size_bytes: int,
        is_given: bool = False,
    ) -> Written:
        """A part with what is selected, whole and on disk. is_given: whether the source is somebody's file."""
        path = self._new("parquet")
        group = max(_LEAST_GROUP_ROWS, min(GROUP_ROWS, _GROUP_BYTES // max(1, size_bytes // max(1, rows))))
        copy = (
            f"COPY (SELECT {selected} FROM {source}{where}) TO {quoted(str(path))}"  # noqa: S608  # ours
            f" (FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE {group})"
        )
        with _removed_if_it_fails(path), self._engine.failing("written"), self._engine.cursor() as cursor:
            with reading_a_given_file("Parquet") if is_given else nullcontext():
                copied = _integer(cursor.execute(copy).fetchone())
            if copied != rows:
                raise RuntimeError(f"{copied} rows of {rows} were written")
            _make_permanent(path)
        return Written(part=Part(file=path.name, rows=rows, columns=list(columns)), path=path)

    def _new(self, ending: str) -> Path:
        return self._temporary / f"{new_id('')}.{ending}"


def read(path: Path) -> str:
    """The rows of a part in SQL."""
    return f"read_parquet({quoted(str(path))})"


def _write(path: Path, lines: Iterator[bytes]) -> tuple[int, int, int]:
    """How many lines were written, their bytes, and those of the longest. Raises OSError."""
    rows = size = longest = 0
    with path.open("wb") as file:
        for line in lines:
            file.write(line)
            rows, size, longest = rows + 1, size + len(line), max(longest, len(line))
            if rows == MOST_ROWS or size > _MOST_BYTES:
                break
    return rows, size, longest


def _make_permanent(path: Path) -> None:
    """Raises OSError."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fchmod(file, 0o600)
        os.fsync(file)
    finally:
        os.close(file)


@contextmanager
def _removed_if_it_fails(path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _check_json(row: bytes, number: int) -> None:
    """Raises RequestError. row: the members of an object, as `row_as_such` has them."""
    try:
        decode(b"{" + row.removeprefix(b",") + b"}")
    except ValueError as error:
        raise RequestError(f"row {number} has a number that JSON does not have, such as infinity") from error


def _integer(row: tuple[Any, ...] | None) -> int:
    return int(row[0] or 0) if row is not None else 0
