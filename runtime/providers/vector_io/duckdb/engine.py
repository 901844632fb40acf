"""Collections in a DuckDB file, each a table of numbers and arrays; a search compares with all of them.

The file is opened without access to other files, to the network and to extensions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from runtime.apis.vector_io.protocol import GROUP_BITS
from runtime.providers.vector_io._shared.pieces import Found
from runtime.providers.vector_io.duckdb.config import DuckDbConfig
from runtime.storage.analytics import files

_COLLECTIONS = """CREATE TABLE IF NOT EXISTS collections
    (name VARCHAR PRIMARY KEY, dimension INTEGER NOT NULL, vectors VARCHAR NOT NULL)"""
_SEARCH = """SELECT number, array_inner_product(vector, ?::FLOAT[{dimension}]) AS near FROM {table} {where}
    ORDER BY near DESC LIMIT ?"""
_OF_GROUPS = f"""number BETWEEN ? AND ?
    AND number >> {GROUP_BITS} IN (SELECT unnest(?::BIGINT[]))"""
"""The first and the last number of the groups let it skip the parts of a table that lie outside."""
_DELETE = "DELETE FROM {table} WHERE number IN (SELECT unnest(?::BIGINT[]))"
_READ = "SELECT number, vector FROM {table} WHERE number IN (SELECT unnest(?::BIGINT[]))"


class DuckDbEngine:
    """The file, which is made if it is missing. Raises duckdb.Error and OSError if it cannot be opened."""

    failures: tuple[type[Exception], ...] = (duckdb.Error, OSError)
    most_dimensions = 100_000

    def __init__(self, path: Path, config: DuckDbConfig) -> None:
        files.make(path)
        files.make_temporary(path)
        self._root: Any = duckdb.connect(
            str(path),
            config={
                "memory_limit": config.memory_limit,
                "threads": config.threads,
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "enable_external_access": "false",
            },
        )
        self._path = path
        self._tables: dict[str, tuple[str, int]] = {}
        with self._changing() as changing:
            changing.execute(_COLLECTIONS)
            changing.commit()

    def dimension(self, name: str) -> int | None:
        with self._root.cursor() as asked:
            row = asked.execute("SELECT vectors, dimension FROM collections WHERE name = ?", (name,)).fetchone()
        if row is None:
            return None
        self._tables[name] = row
        return int(row[1])

    def create(self, name: str, dimension: int) -> None:
        table = f"vectors_{name}"
        with self._changing() as changing:
            changing.execute("INSERT INTO collections VALUES (?, ?, ?)", (name, dimension, table))
            changing.execute(f"CREATE TABLE {table} (number BIGINT NOT NULL, vector FLOAT[{dimension}] NOT NULL)")
            changing.commit()
        self._tables[name] = (table, dimension)

    def drop(self, name: str) -> None:
        table, _ = self._tables.pop(name)
        with self._changing() as changing:
            changing.execute(f"DROP TABLE {table}")
            changing.execute("DELETE FROM collections WHERE name = ?", (name,))
            changing.commit()

    def put(self, name: str, numbers: Sequence[int], vectors: bytes, dimension: int) -> None:
        table, _ = self._tables[name]
        arrays = pa.FixedSizeListArray.from_arrays(pa.array(np.frombuffer(vectors, "<f4")), dimension)
        rows = pa.table({"number": np.array(numbers, np.int64), "vector": arrays})
        with self._changing() as changing:
            changing.execute(_DELETE.format(table=table), (numbers,))
            changing.register("new_rows", rows)
            changing.execute(f"INSERT INTO {table} SELECT number, vector FROM new_rows")  # noqa: S608  # ours
            changing.unregister("new_rows")
            changing.commit()

    def remove(self, name: str, groups: Sequence[int]) -> None:
        table, _ = self._tables[name]
        with self._changing() as changing:
            changing.execute(f"DELETE FROM {table} WHERE {_OF_GROUPS}", _bounds(groups))  # noqa: S608  # ours
            changing.commit()

    def search(self, name: str, vector: bytes, limit: int, groups: Sequence[int] | None) -> Found:
        table, dimension = self._tables[name]
        where = "" if groups is None else f"WHERE {_OF_GROUPS}"
        sql = _SEARCH.format(dimension=dimension, table=table, where=where)
        bounds = () if groups is None else _bounds(groups)
        with self._root.cursor() as asked:
            asked.execute(sql, (np.frombuffer(vector, "<f4").tolist(), *bounds, limit))
            hits = asked.fetchall()
        return [number for number, _ in hits], [near for _, near in hits]

    def read(self, name: str, numbers: Sequence[int]) -> Mapping[int, bytes]:
        table, _ = self._tables[name]
        with self._root.cursor() as asked:
            found = asked.execute(_READ.format(table=table), (numbers,)).fetchall()
        return {number: np.array(vector, "<f4").tobytes() for number, vector in found}

    def close(self) -> None:
        self._root.close()
        files.tidy(self._path)

    def _changing(self) -> Any:
        """A transaction, undone unless it is committed before the block ends."""
        files.make_log(self._path)
        return self._root.cursor().begin()


def _bounds(groups: Sequence[int]) -> tuple[int, int, list[int]]:
    return min(groups) << GROUP_BITS, ((max(groups) + 1) << GROUP_BITS) - 1, list(groups)
