"""Two files as one: each row of the first has the columns of the row of the second that says the same in a column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runtime.errors import RequestError
from runtime.invalid.vocabulary import shortened
from runtime.providers.datasetio.localfs.engine import Engine
from runtime.providers.datasetio.localfs.kinds import Columns, merged
from runtime.providers.datasetio.localfs.manifest import Written
from runtime.providers.datasetio.localfs.parts import Writer, read
from runtime.providers.datasetio.localfs.rendering import columns_as, value_as_json

_SHOWN = 50


class Joining:
    """second: the rows of the second file, which is called `name`. on: the column. Raises RequestError where rows of it
    say the same there, Unavailable.
    """

    def __init__(self, engine: Engine, second: Sequence[Written], on: str, name: str) -> None:
        self._engine = engine
        self._second = second
        self._columns = _columns(second)
        self._on = on
        self._name = name
        place = _place(self._columns, on, f"`{shortened(name)}`")
        every = " UNION ALL ".join(
            f"SELECT {columns_as(one.part.columns, self._columns)} FROM {read(one.path)}"  # noqa: S608  # ours
            for one in second
        )
        self._source = f"SELECT *, {value_as_json(place, self._columns[place][1])} AS same FROM ({every})"  # noqa: S608
        self._check_unique()

    def joined(self, first: Sequence[Written], writer: Writer) -> Iterator[Written]:
        """Parts with the rows of the first file. Raises RequestError for columns that are not as they should be, and
        where no row has one in the second; Unavailable.
        """
        columns = _columns(first)
        _place(columns, self._on, "its first file")
        both = {name for name, _ in columns} & {name for name, _ in self._columns} - {self._on}
        if both:
            raise RequestError(f"both files have the column `{shortened(min(both))}`, and only `on` may be in both")
        self._check_any(first)
        for one in first:
            yield self._of_part(one, writer)

    def _of_part(self, one: Written, writer: Writer) -> Written:
        own = one.part.columns
        added = [(place, column) for place, column in enumerate(self._columns) if column[0] != self._on]
        names = [f"first.c{place}" for place in range(len(own))]
        names += [f"second.c{place} AS c{len(own) + at}" for at, (place, _) in enumerate(added)]
        selected = f"{', '.join(names)}, first.number"
        source = f"SELECT {selected} FROM ({self._keyed(one)}) first LEFT JOIN ({self._source}) second USING (same)"  # noqa: S608
        size = one.path.stat().st_size + sum(other.path.stat().st_size for other in self._second)
        columns = [*own, *(column for _, column in added)]
        return writer.of_query(source, columns, order="number", rows=one.part.rows, size_bytes=size)

    def _keyed(self, one: Written) -> str:
        """A part of the first file, with the number of each row and what it says in the column."""
        place = next((at for at, (name, _) in enumerate(one.part.columns) if name == self._on), None)
        key = "NULL::VARCHAR" if place is None else value_as_json(place, one.part.columns[place][1])
        return f"SELECT *, file_row_number AS number, {key} AS same FROM {read(one.path)}"  # noqa: S608  # ours

    def _check_unique(self) -> None:
        sql = f"SELECT same FROM ({self._source}) WHERE same IS NOT NULL GROUP BY same HAVING count(*) > 1"  # noqa: S608
        for (value,) in self._engine.rows(f"{sql} LIMIT 1"):
            words = f"`{shortened(self._name)}` has several rows whose `{self._on}` is {shortened(value)}"
            raise RequestError(words, hint="it needs one for each row")

    def _check_any(self, first: Sequence[Written]) -> None:
        for one in first:
            sql = f"SELECT 1 FROM ({self._keyed(one)}) JOIN ({self._source}) USING (same) LIMIT 1"  # noqa: S608  # ours
            if self._engine.rows(sql):
                return
        if first:
            raise RequestError(f"no row of `{shortened(self._name)}` has the `{self._on}` of a row of the first file")


def _columns(parts: Sequence[Written]) -> Columns:
    columns: Columns = []
    for one in parts:
        columns = merged(columns, one.part.columns)
    return columns


def _place(columns: Columns, on: str, whose: str) -> int:
    """Where a column is. Raises RequestError where it is not, with those that are."""
    names = [name for name, _ in columns]
    if on not in names:
        there = ", ".join(f"`{shortened(name)}`" for name in names[:_SHOWN]) or "no columns"
        raise RequestError(f"{whose} has no column `{shortened(on)}`, which `on` names", hint=f"it has {there}")
    return names.index(on)
