"""Rows that come from elsewhere, all or none: kept beside their table first, since they are to be added once whoever
brings them begins again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import duckdb

from runtime.errors import RequestError, StackError
from runtime.storage.analytics.rows import check_line, lines_of
from runtime.storage.analytics.tables import AnalyticsTable

_GIVEN = "given rows"
_AT_ONCE = 1000


class Load:
    """For one table, in one transaction, which ends with `finish` or `close`; from one thread at a time.

    connection: of its own. failed: the error for what the database says.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, table: AnalyticsTable, *, failed: Callable[[Exception], StackError]
    ) -> None:
        self._connection = connection
        self._table = table
        self._failed = failed
        self._columns = ", ".join(f'"{one.name}"' for one in table.columns)
        self._read_from = table.name
        columns = f'SELECT {self._columns} FROM "{table.name}" LIMIT 0'  # noqa: S608  # ours
        connection.execute(f'CREATE TEMP TABLE "{_GIVEN}" AS {columns}')
        connection.execute("BEGIN TRANSACTION")

    def add(self, lines: Sequence[bytes]) -> None:
        """Take rows, a JSON object each. Raises RequestError for what is none of this table."""
        for line in lines:
            check_line(self._table, line)
        try:
            self._connection.execute(self._table.insertion(_GIVEN), [f"[{b','.join(lines).decode()}]"])
        except (duckdb.ProgrammingError, duckdb.DataError, duckdb.IntegrityError) as error:
            reason = str(error).partition("\n")[0]
            raise RequestError(f"`{self._table.name}` cannot hold these rows: {reason}", code="invalid_rows") from error
        except duckdb.Error as error:
            raise self._failed(error) from error

    def finish(self) -> int:
        """Add those rows that the table does not have, as often as they were given. Returns how many; they are on disk
        then.
        """
        name, given = self._table.name, f'SELECT {self._columns} FROM "{_GIVEN}"'  # noqa: S608  # ours
        try:
            is_empty = self._connection.execute(f'SELECT 1 FROM "{name}" LIMIT 1').fetchone() is None  # noqa: S608  # ours
            if not is_empty:
                self._read_from = _GIVEN  # all of them are in the table too then, among others
            new = f"{given} ORDER BY rowid" if is_empty else f'{given} EXCEPT ALL SELECT {self._columns} FROM "{name}"'  # noqa: S608  # ours
            row = self._connection.execute(f'INSERT INTO "{name}" ({self._columns}) {new}').fetchone()  # ours
            self._connection.execute("COMMIT")
        except duckdb.Error as error:
            raise self._failed(error) from error
        return int(row[0]) if row else 0

    def lines(self) -> Iterator[list[bytes]]:
        """What has come, read again after `finish`, in the order in which it was given."""
        try:
            self._connection.execute(self._table.selection(self._read_from))
            while rows := self._connection.fetchmany(_AT_ONCE):
                yield lines_of(self._table, rows)
        except duckdb.Error as error:
            raise self._failed(error) from error

    def close(self) -> None:
        """Nothing is left of it but what `finish` has added."""
        self._connection.close()
