"""The DuckDB file: one thread adds to it, some others answer queries. https://duckdb.org/docs/stable/

A query runs in a transaction that may only read, and the file was opened without access to other files, to the network
and to extensions, in a way that no statement can change.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from runtime.errors import RequestError, Unavailable
from runtime.storage.analytics import files
from runtime.storage.analytics.config import AnalyticsConfig
from runtime.storage.analytics.interrupting import answer_of
from runtime.storage.analytics.loading import Load
from runtime.storage.analytics.queries import Query, fetched
from runtime.storage.analytics.rows import lines_of
from runtime.storage.analytics.tables import AnalyticsTable, Rows
from runtime.storage.batch_thread import MAX_WAITING, BatchThread
from runtime.storage.slots import Slots

_QUERIES_AT_ONCE = 4
_INTERRUPT_AGAIN_S = 0.05
_WRONG = (duckdb.ProgrammingError, duckdb.DataError, duckdb.NotSupportedError, duckdb.IntegrityError)
_WRONG_TOO = (duckdb.PermissionException, duckdb.TransactionException)
_FAILED = (duckdb.Error, OSError)
_COMMENT = "SELECT comment FROM duckdb_tables() WHERE table_name = ? AND NOT internal"
_VIEW = "SELECT comment FROM duckdb_views() WHERE view_name = ? AND NOT internal"
_READING = {"SELECT", "EXPLAIN"}


@dataclass(frozen=True, slots=True)
class _Addition:
    """Rows to add, as the inside of a JSON array or as the values of each column, a JSON array of them or one on each
    line; or rows to remove, those before a time in seconds.
    """

    table: AnalyticsTable
    slots: Slots
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    rows: bytes = b""
    columns: Sequence[str] = ()
    in_lines: frozenset[str] = frozenset()
    before: float | None = None


class Database(BatchThread[_Addition]):
    """The file at `path`, made if it is missing, with `tables` in it. Raises Unavailable if it cannot be opened."""

    def __init__(self, path: Path, config: AnalyticsConfig, tables: Iterable[AnalyticsTable]) -> None:
        super().__init__(f"write {path.name}")
        self._path = path
        self._config = config
        self._tables = {table.name: table for table in tables}
        self._using = threading.Lock()
        self._root: duckdb.DuckDBPyConnection | None = None
        self._slots = Slots(MAX_WAITING)
        self._asked: set[Query] = set()
        self._answered = threading.Event()
        self._readers = ThreadPoolExecutor(_QUERIES_AT_ONCE, thread_name_prefix=f"read {path.name}")
        try:
            self._connection().close()
        except _FAILED as error:
            raise self._unavailable("opened", error) from error
        self.start()

    def add(self, tables: Iterable[AnalyticsTable]) -> None:
        """Make more tables. Raises Unavailable."""
        new = [table for table in tables if table.name not in self._tables]
        self._tables |= {table.name: table for table in new}
        try:
            with self._connection() as connection:
                self._make(connection, new)
        except _FAILED as error:
            raise self._unavailable("written", error) from error

    async def append(self, table: AnalyticsTable, rows: bytes) -> None:
        """Returns once they are on disk. rows: the inside of a JSON array. Raises RequestError, Unavailable."""
        await self._ask(table, rows=rows)

    async def append_columns(self, table: AnalyticsTable, columns: Sequence[str], in_lines: frozenset[str]) -> None:
        """Returns once they are on disk. columns: a JSON array of the values of each; those of `in_lines` have one on
        each line. Raises RequestError, Unavailable.
        """
        await self._ask(table, columns=columns, in_lines=in_lines)

    async def remove(self, table: AnalyticsTable, before: float) -> int:
        """How many rows it has removed. Raises Unavailable."""
        removed: int = await self._ask(table, before=before)
        return removed

    async def query(
        self, sql: str, parameters: Sequence[Any] | Mapping[str, Any], *, limit_s: float, most_rows: int
    ) -> Rows:
        """See `Analytics.query`. Raises RequestError, Unavailable."""
        asked = Query(sql, parameters, most_rows=most_rows, read=self._read, ended=self._answer_ended)
        self._asked.add(asked)
        answer = asyncio.get_running_loop().run_in_executor(self._readers, asked.run)
        try:
            return await answer_of(asked, answer, limit_s=limit_s)
        except TimeoutError as error:
            raise RequestError(
                f"the query did not end within {limit_s:g} s", hint="ask for less", code="query_too_slow"
            ) from error

    async def lines(self, table: AnalyticsTable, *, at_once: int) -> AsyncGenerator[list[bytes], None]:
        """See `Analytics.lines`. Raises Unavailable."""
        try:
            with await asyncio.to_thread(self._connection) as connection:
                await asyncio.to_thread(connection.execute, "BEGIN TRANSACTION READ ONLY")
                await asyncio.to_thread(connection.execute, table.selection())
                while rows := await asyncio.to_thread(connection.fetchmany, at_once):
                    yield lines_of(table, rows)
        except _FAILED as error:
            raise self._unavailable("read", error) from error

    def loading(self, table: AnalyticsTable) -> Load:
        """See `Analytics.loading`. Raises Unavailable."""
        try:
            files.make_log(self._path)
            return Load(self._connection(), table, failed=lambda error: self._unavailable("written", error))
        except _FAILED as error:
            raise self._unavailable("written", error) from error

    def close(self) -> None:
        """Returns when everything that waits is on disk. Queries are ended."""
        while self._asked:
            for asked in tuple(self._asked):
                asked.interrupt()
            self._answered.wait(_INTERRUPT_AGAIN_S)
        self.stop()
        self._readers.shutdown()

    def _answer_ended(self, asked: Query) -> None:
        self._asked.discard(asked)
        if not self._asked:
            self._answered.set()

    def _read(self, asked: Query) -> Rows:
        """What a query finds. Raises RequestError, Unavailable."""
        try:
            with self._connection() as connection, asked.on(connection):
                statements = connection.extract_statements(asked.sql)
                if len(statements) != 1 or statements[0].type.name not in _READING:
                    raise RequestError("a query is one SELECT", code="invalid_query")
                connection.execute("BEGIN TRANSACTION READ ONLY")
                connection.execute(statements[0], asked.parameters or None)
                return fetched(connection, most_rows=asked.most_rows, most_bytes=self._config.max_result_bytes)
        except duckdb.OutOfMemoryException as error:
            limit = self._config.memory_limit
            raise RequestError(
                f"the query needs more than {limit} of memory", hint="ask for less", code="query_too_large"
            ) from error
        except (*_WRONG, *_WRONG_TOO) as error:
            raise RequestError(f"the query cannot be done: {_first_words(error)}", code="invalid_query") from error
        except _FAILED as error:
            raise self._unavailable("read", error) from error

    async def _ask(self, table: AnalyticsTable, **more: Any) -> Any:
        def put() -> asyncio.Future[Any]:
            if self._stopping:  # while this waited for a slot
                raise RuntimeError("analytics are closed")
            loop = asyncio.get_running_loop()
            future: asyncio.Future[Any] = loop.create_future()
            self.put(_Addition(table, self._slots, future, loop, **more))
            return future

        return await self._slots.outcome(put)

    def _do(self, batch: Sequence[_Addition]) -> Sequence[Any]:
        try:
            with self._connection() as connection:
                try:
                    return self._commit(connection, batch)
                except _WRONG:
                    connection.execute("ROLLBACK")
                    return [self._alone(connection, one) for one in batch]
        except _FAILED as error:
            self._release()  # some of its errors end the database until it is opened again
            raise self._unavailable("written", error) from error

    def _commit(self, connection: duckdb.DuckDBPyConnection, batch: Sequence[_Addition]) -> list[int]:
        """The outcomes of all, which are on disk. If it raises, nothing is, and a transaction may still be open."""
        added: dict[AnalyticsTable, list[bytes]] = {}
        outcomes: list[int] = []
        self._begin(connection)
        for one in batch:
            if one.columns:
                connection.execute(one.table.insertion_of_columns(one.in_lines), [*one.columns])
                outcomes.append(0)
            elif one.before is None:
                added.setdefault(one.table, []).append(one.rows)
                outcomes.append(0)
            else:
                row = connection.execute(one.table.removal(), [one.before]).fetchone()
                outcomes.append(row[0] if row else 0)
        for table, rows in added.items():
            connection.execute(table.insertion(), [f"[{b','.join(rows).decode()}]"])
        connection.execute("COMMIT")
        return outcomes

    def _alone(self, connection: duckdb.DuckDBPyConnection, one: _Addition) -> int | Exception:
        try:
            return self._commit(connection, [one])[0]
        except _WRONG as error:
            connection.execute("ROLLBACK")
            words = f"`{one.table.name}` cannot hold these rows: {_first_words(error)}"
            refused = RequestError(words, code="invalid_rows")
            refused.__cause__ = error
            return refused

    def _make(self, connection: duckdb.DuckDBPyConnection, tables: Iterable[AnalyticsTable]) -> None:
        """Make tables, or the columns that they lack, and views where they are not as they should be."""
        query = "SELECT column_name FROM duckdb_columns() WHERE table_name = ? AND NOT internal"
        self._begin(connection)
        for table in tables:
            there = [row[0] for row in connection.execute(query, [table.name]).fetchall()]
            for statement in table.additions(there) if there else [table.creation()]:
                connection.execute(statement)
            if connection.execute(_COMMENT, [table.name]).fetchone() != (table.comment(),):
                connection.execute(f"COMMENT ON TABLE \"{table.name}\" IS '{table.comment()}'")
            for name, select in table.views:
                made_of = hashlib.sha256(select.encode()).hexdigest()
                if connection.execute(_VIEW, [name]).fetchone() != (made_of,):
                    connection.execute(f'CREATE OR REPLACE VIEW "{name}" AS {select}')
                    connection.execute(f"COMMENT ON VIEW \"{name}\" IS '{made_of}'")
        connection.execute("COMMIT")

    def _begin(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Begin a transaction that writes; nothing is written without one, after which the log may be gone."""
        files.make_log(self._path)
        connection.execute("BEGIN TRANSACTION")

    def _finish(self) -> None:
        self._release()

    def _connection(self) -> duckdb.DuckDBPyConnection:
        """A connection for one thread. The first one, which nobody uses, keeps the file open. Raises duckdb.Error."""
        with self._using:
            if self._root is None:
                self._root = self._opened()
            return self._connect()

    def _opened(self) -> duckdb.DuckDBPyConnection:
        files.make(self._path)
        files.make_temporary(self._path)
        root = self._connect()
        try:
            self._make(root, self._tables.values())
            root.execute("SET GLOBAL TimeZone = 'UTC'")
            root.execute("SET lock_configuration = true")
        except _FAILED:
            root.close()
            raise
        return root

    def _connect(self) -> duckdb.DuckDBPyConnection:
        return duckdb.connect(
            str(self._path),
            config={
                "memory_limit": self._config.memory_limit.replace(" ", ""),
                "threads": self._config.threads,
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "enable_external_access": "false",
            },
        )

    def _release(self) -> None:
        with self._using:
            root, self._root = self._root, None
            if root is not None:
                root.close()
                files.tidy(self._path)

    def _unavailable(self, verb: str, error: Exception) -> Unavailable:
        reason = error.strerror or str(error) if isinstance(error, OSError) else _first_words(error)
        hint = "check the disk and the permissions of its folder, or choose another `storage.analytics.db_path`"
        if "Conflicting lock" in reason:
            reason, hint = "another process has it open", "ask the server that runs, or stop it"
        return Unavailable(
            f"the analytics `{self._path}` could not be {verb}: {reason}", hint=hint, code="storage_unavailable"
        )


def _first_words(error: Exception) -> str:
    """Without its kind, which stands before it, and without the query, which follows."""
    return str(error).partition("\n")[0].partition("Error: ")[2].strip() or type(error).__name__
