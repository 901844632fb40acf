"""DuckDB over the files of one folder: without access to others, to the network and to extensions, in a way that no
statement can change. It blocks, so threads call it. https://duckdb.org/docs/stable/
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from runtime.errors import RequestError
from runtime.providers.datasetio.localfs.failures import unavailable
from runtime.providers.datasetio.localfs.rendering import quoted
from runtime.storage.analytics.interrupting import Interruptible

_FULL = "No space left"
_FAILED = (duckdb.Error, OSError)
_WRONG_FILE = (duckdb.InvalidInputException, duckdb.IOException, duckdb.DataError, duckdb.NotSupportedError)


class Engine:
    """folder: of all files; temporary: the one below it for what does not fit into memory. Raises Unavailable."""

    def __init__(self, folder: Path, temporary: Path, *, memory_limit: str, threads: int) -> None:
        self._folder = folder
        with self.failing("opened"):
            self._root = duckdb.connect(
                ":memory:",
                config={
                    "memory_limit": memory_limit.replace(" ", ""),
                    "threads": threads,
                    "autoinstall_known_extensions": "false",
                    "autoload_known_extensions": "false",
                },
            )
            for setting in (
                f"allowed_directories = [{quoted(str(folder))}]",
                f"temp_directory = {quoted(str(temporary))}",
                "TimeZone = 'UTC'",
                "parquet_metadata_cache = true",
                "enable_external_access = false",
                "lock_configuration = true",
            ):
                self._root.execute(f"SET GLOBAL {setting}")

    def close(self) -> None:
        self._root.close()

    @contextmanager
    def failing(self, verb: str) -> Iterator[None]:
        """Around work on the files. verb: what could not be done with the datasets if it fails. Raises Unavailable for
        what DuckDB and the disk refuse, RequestError for what needs too much memory.
        """
        try:
            yield
        except duckdb.OutOfMemoryException as error:
            raise RequestError(
                f"more memory is needed than DuckDB may take: {first_words(error)}",
                hint="ask for less, or raise `memory_limit` in the provider's config",
                code="memory_limit_reached",
            ) from error
        except _FAILED as error:
            raise unavailable(self._folder, verb, first_words(error)) from error

    @contextmanager
    def cursor(self, work: Interruptible | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection for one thread. work: what it is for, so that it can be interrupted."""
        with self._root.cursor() as cursor:
            if work is None:
                yield cursor
            else:
                with work.on(cursor):
                    yield cursor

    def texts(
        self, sql: str, values: list[Any] | None = None, *, at_once: int = 2048, work: Interruptible | None = None
    ) -> Iterator[list[str]]:
        """The texts that a query finds, so many at once, as fast as they are taken. Raises Unavailable."""
        with self.failing("read"), self.cursor(work) as cursor:
            cursor.execute(sql, values)
            while rows := cursor.fetchmany(at_once):
                yield [row[0] for row in rows]

    def rows(self, sql: str, values: list[Any] | None = None, *, work: Interruptible | None = None) -> list[Any]:
        """The few rows that a query finds. Raises Unavailable."""
        with self.failing("read"), self.cursor(work) as cursor:
            return cursor.execute(sql, values).fetchall()


@contextmanager
def reading_a_given_file(what: str) -> Iterator[None]:
    """Around statements that read a file of a user's, which may be damaged. Raises RequestError, and OSError where
    the disk is full.
    """
    try:
        yield
    except _WRONG_FILE as error:
        if _FULL in str(error):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        raise RequestError(f"it is no {what} that can be read: {first_words(error)}") from error


def first_words(error: Exception) -> str:
    """Without its kind, which stands before it, and without the query, which follows."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error).partition("\n")[0].partition("Error: ")[2].strip() or type(error).__name__
