"""One query of analytics, and how much of what it finds is taken."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import duckdb

from runtime.errors import RequestError
from runtime.storage.analytics.interrupting import Interruptible
from runtime.storage.analytics.tables import Rows


class Query(Interruptible):
    """One query, on its way from an event loop to a thread.

    read: what it finds. ended: called when it has ended, however.
    """

    def __init__(
        self,
        sql: str,
        parameters: Sequence[Any] | Mapping[str, Any],
        *,
        most_rows: int,
        read: Callable[[Query], Rows],
        ended: Callable[[Query], None],
    ) -> None:
        super().__init__()
        self.sql = sql
        self.parameters = parameters
        self.most_rows = most_rows
        self._read = read
        self._ended = ended

    def run(self) -> Rows:
        """Raises RequestError, Unavailable."""
        try:
            return self._read(self)
        finally:
            self._ended(self)


def fetched(connection: duckdb.DuckDBPyConnection, *, most_rows: int, most_bytes: int) -> Rows:
    """What the query of a connection finds, row by row, since DuckDB's own limit is not for rows that have left it.

    Raises RequestError for rows of more than `most_bytes` in memory. DuckDB computes 2048 rows ahead.
    """
    columns = tuple(column[0] for column in connection.description or ())
    rows: list[tuple[Any, ...]] = []
    left = most_bytes
    while (row := connection.fetchone()) is not None:
        if len(rows) == most_rows:
            return Rows(columns=columns, rows=rows, has_more=True)
        left -= _bytes_of(row)
        if left < 0:
            raise RequestError(
                f"the query finds more than {most_bytes} bytes",
                hint="ask for less, or raise `storage.analytics.max_result_bytes`",
                code="query_too_large",
            )
        rows.append(row)
    return Rows(columns=columns, rows=rows, has_more=False)


def _bytes_of(value: Any) -> int:
    """The memory that a value takes, with what is in it."""
    inner = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return sys.getsizeof(value) + sum(map(_bytes_of, inner))
