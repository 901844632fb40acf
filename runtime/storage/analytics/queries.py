"""One query of analytics: how it is interrupted, and how much of what it finds is taken."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb

from runtime.errors import RequestError, Unavailable
from runtime.storage.analytics.tables import Rows


class Query:
    """One query, on its way from an event loop to a thread. It can be interrupted before, while and after it runs.

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
        self.sql = sql
        self.parameters = parameters
        self.most_rows = most_rows
        self._read = read
        self._ended = ended
        self._changing = threading.Lock()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._is_interrupted = False

    def run(self) -> Rows:
        """Raises RequestError, Unavailable."""
        try:
            return self._read(self)
        finally:
            self._ended(self)

    @contextmanager
    def on(self, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """While it runs on a connection, which is closed after that: one that is closed cannot be interrupted. Raises
        Unavailable if it was interrupted before.
        """
        with self._changing:
            if self._is_interrupted:
                raise Unavailable("the query was ended before it began", code="storage_unavailable")
            self._connection = connection
        try:
            yield
        finally:
            with self._changing:
                self._connection = None

    def interrupt(self) -> None:
        with self._changing:
            self._is_interrupted = True
            if self._connection is not None:
                self._connection.interrupt()


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
