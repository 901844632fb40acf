"""The handle of analytics: opens the file at first use, off the event loop. Imports no driver."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from runtime.errors import Unavailable
from runtime.storage.analytics.config import PACKAGES, AnalyticsConfig
from runtime.storage.analytics.tables import AnalyticsTable, Rows
from runtime.to_the_end import to_the_end

if TYPE_CHECKING:
    from runtime.storage.analytics.database import Database
    from runtime.storage.analytics.loading import Load

_LINES_AT_ONCE = 1000
_DATABASE = "runtime.storage.analytics.database"


class Analytics:
    """The tables of a stack in one file. Each call raises Unavailable while the file cannot be used, such as on a full
    disk or while another process has it open, and RuntimeError once closed.
    """

    def __init__(self, config: AnalyticsConfig, state_dir: Path) -> None:
        self._config = config
        self._path = state_dir / config.db_path
        self._tables: dict[str, AnalyticsTable] = {}
        self._database: Database | None = None
        self._opening = asyncio.Lock()
        self._closed = False

    def add(self, *tables: AnalyticsTable) -> None:
        """Tables that somebody uses, and those that their views read. Raises ValueError for two with one name."""
        every = [one for table in tables for one in (*table.beside, table)]
        for table in every:
            if self._tables.setdefault(table.name, table) != table:
                raise ValueError(f"there are two tables of analytics called `{table.name}`")
        if self._database is not None:
            self._database.add(every)

    async def append(self, table: AnalyticsTable, rows: Sequence[dict[str, Any]]) -> None:
        """Add rows, all or none, on disk when it returns. A row has JSON values by column; a number that is none (NaN)
        is null. A caller that is cancelled takes nothing back. Raises RequestError for a value that its column cannot
        hold.
        """
        if not rows:
            return
        encoded = msgspec.json.encode(table.complete(rows))[1:-1]
        await (await self._opened()).append(table, encoded)

    async def append_columns(self, table: AnalyticsTable, columns: Mapping[str, list[Any] | str]) -> None:
        """As `append`, for many rows of a table without JSON: the values of every column, all of one length; or a text
        with one on each line, which is the cheapest.
        """
        given = [columns[one.name] for one in table.columns]
        texts = tuple(one if isinstance(one, str) else msgspec.json.encode(one).decode() for one in given)
        in_lines = frozenset(name for name, values in columns.items() if isinstance(values, str))
        await (await self._opened()).append_columns(table, texts, in_lines)

    @property
    def tables(self) -> tuple[AnalyticsTable, ...]:
        """Those that somebody uses."""
        return tuple(self._tables.values())

    @property
    def path(self) -> Path:
        """Its file, which is there once it was used."""
        return self._path

    async def lines(self, table: AnalyticsTable) -> AsyncGenerator[list[bytes], None]:
        """Every row as a line of JSON, as they are at one moment, in the order in which they came; some at once."""
        async with aclosing((await self._opened()).lines(table, at_once=_LINES_AT_ONCE)) as found:
            async for lines in found:
                yield lines

    async def loading(self, table: AnalyticsTable) -> Load:
        """Takes such lines, and adds all of them or none; to be closed. table: one that was added, or a part of its
        columns.
        """
        return await asyncio.to_thread((await self._opened()).loading, table)

    async def remove_before(self, table: AnalyticsTable, before: float) -> int:
        """Remove the rows that are older of a table with `aged_by` or `dated_by`, and return how many. before: seconds
        since 1970.
        """
        return await (await self._opened()).remove(table, before)

    async def query(
        self,
        sql: str,
        parameters: Sequence[Any] | Mapping[str, Any] = (),
        *,
        limit_s: float | None = None,
        most_rows: int = 10_000,
    ) -> Rows:
        """What one SELECT finds; it sees every append that has returned, and no file, network or setting.

        parameters: for `?`, or for `$name`. limit_s: seconds, by default those of the config. Raises RequestError for
        a query that is wrong, changes anything, or needs more time or memory than it may.
        """
        limit_s = self._config.query_limit_s if limit_s is None else limit_s
        return await (await self._opened()).query(sql, parameters, limit_s=limit_s, most_rows=most_rows)

    async def close(self) -> None:
        """Returns when everything is on disk and the file is closed. A second call does nothing."""
        self._closed = True
        async with self._opening:
            database, self._database = self._database, None
        if database is not None:
            await asyncio.to_thread(database.close)

    async def _opened(self) -> Database:
        if self._closed:
            raise RuntimeError("analytics are closed")
        if self._database is None:
            await to_the_end(self._open_once())
        if self._database is None:
            raise RuntimeError("analytics are closed")
        return self._database

    async def _open_once(self) -> None:
        """Not to be cancelled: a database that is opened for nobody would hold the file, and nobody would close it."""
        async with self._opening:
            if self._database is None and not self._closed:
                self._database = await asyncio.to_thread(self._open)

    def _open(self) -> Database:
        try:
            module = importlib.import_module(_DATABASE)
        except ImportError as error:
            raise Unavailable(
                f"analytics need the package `{PACKAGES[0]}`: {error}",
                hint="add `analytics: {}` to `storage` of the run config, and build the distribution again",
                code="storage_unavailable",
            ) from error
        opened: Database = module.Database(self._path, self._config, self._tables.values())
        return opened
