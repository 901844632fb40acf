"""Collections in a SQLite file, each a `vec0` table of sqlite-vec, which compares with every vector.

apsw opens the file, since Python's own sqlite3 is often built without loadable extensions; and nothing else does, since
two SQLite libraries on one file in one process break its locks (https://sqlite.org/howtocorrupt.html, section 2.2.1).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import apsw
import sqlite_vec

from runtime.apis.vector_io.protocol import GROUP_BITS, group_of
from runtime.providers.vector_io._shared.folders import make_file
from runtime.providers.vector_io._shared.pieces import Found

_MOST_HITS = 4096
"""Of a search by the table itself."""
_FEW = 1000
"""So many vectors are compared one by one: for more, going through the whole table is faster."""
_BUSY_MS = 30_000
_PRAGMAS = ("journal_mode = WAL", "synchronous = FULL", "mmap_size = 1099511627776")
_COLLECTIONS = """CREATE TABLE IF NOT EXISTS llama_collections
    (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, dimension INTEGER NOT NULL) STRICT"""
_VECTORS = """CREATE VIRTUAL TABLE {table} USING vec0
    (number INTEGER PRIMARY KEY, in_group INTEGER, vector FLOAT[{dimension}] distance_metric=cosine)"""
_NUMBERS = f"""json_each(?) g CROSS JOIN {{table}}_rowids r
    ON r.rowid BETWEEN g.value << {GROUP_BITS} AND (g.value << {GROUP_BITS}) + {2**GROUP_BITS - 1}"""
"""The numbers of groups, from the table's own index of them."""
_ALL = "SELECT number, distance FROM {table} WHERE vector MATCH ? AND k = ?"
_OF_MANY = f"{_ALL} AND in_group IN (SELECT value FROM json_each(?))"  # noqa: S608  # ours
_MORE_HITS = "SELECT number, vec_distance_cosine(vector, ?) AS far FROM {table} ORDER BY far LIMIT ?"
_ONE_BY_ONE = f"""SELECT v.number, vec_distance_cosine(v.vector, ?) AS far
    FROM {_NUMBERS} CROSS JOIN {{table}} v ON v.number = r.rowid ORDER BY far LIMIT ?"""  # noqa: S608  # ours
_COUNT = f"SELECT count(*) FROM (SELECT 1 FROM {_NUMBERS} LIMIT {_FEW + 1})"  # noqa: S608  # ours
_FIND = f"SELECT r.rowid FROM {_NUMBERS}"  # noqa: S608  # ours
_READ = "SELECT v.number, v.vector FROM json_each(?) n CROSS JOIN {table} v ON v.number = n.value"
_DELETE = "DELETE FROM {table} WHERE number = ?"
_INSERT = "INSERT INTO {table} (number, in_group, vector) VALUES (?, ?, ?)"


class SqliteVecEngine:
    """The file, which is made if it is missing. Raises apsw.Error and OSError if it cannot be opened."""

    failures: tuple[type[Exception], ...] = (apsw.Error, OSError)
    most_dimensions = 8192

    def __init__(self, path: Path) -> None:
        make_file(path)
        self._path = path
        self._of_thread = threading.local()
        self._opened: list[apsw.Connection] = []
        self._tables: dict[str, str] = {}
        self._connection().execute(_COLLECTIONS)

    def dimension(self, name: str) -> int | None:
        row = self._row("SELECT id, dimension FROM llama_collections WHERE name = ?", name)
        if row is None:
            return None
        self._tables[name] = _table(row[0])
        return int(row[1])

    def create(self, name: str, dimension: int) -> None:
        with self._connection() as changing:
            insert = "INSERT INTO llama_collections (name, dimension) VALUES (?, ?) RETURNING id"
            [(number,)] = changing.execute(insert, (name, dimension)).fetchall()
            changing.execute(_VECTORS.format(table=_table(number), dimension=dimension))
        self._tables[name] = _table(number)

    def drop(self, name: str) -> None:
        table = self._tables.pop(name)
        with self._connection() as changing:
            changing.execute(f"DROP TABLE {table}")
            changing.execute("DELETE FROM llama_collections WHERE name = ?", (name,))

    def put(self, name: str, numbers: Sequence[int], vectors: bytes, dimension: int) -> None:
        table, size = self._tables[name], len(vectors) // len(numbers)
        rows = [(number, group_of(number), vectors[at * size : (at + 1) * size]) for at, number in enumerate(numbers)]
        with self._connection() as changing:
            changing.executemany(_DELETE.format(table=table), [(number,) for number in numbers])
            changing.executemany(_INSERT.format(table=table), rows)

    def remove(self, name: str, groups: Sequence[int]) -> None:
        table = self._tables[name]
        with self._connection() as changing:
            numbers = changing.execute(_FIND.format(table=table), (json.dumps(groups),)).fetchall()
            changing.executemany(_DELETE.format(table=table), numbers)

    def search(self, name: str, vector: bytes, limit: int, groups: Sequence[int] | None) -> Found:
        table, limit = self._tables[name], min(limit, 2**62)
        if groups is None:
            sql, values = (_ALL if limit <= _MOST_HITS else _MORE_HITS), [vector, limit]
        else:
            wanted = json.dumps([*{*groups}])
            [count] = self._row(_COUNT.format(table=table), wanted)
            is_many = count > _FEW and limit <= _MOST_HITS
            sql, values = (_OF_MANY, [vector, limit, wanted]) if is_many else (_ONE_BY_ONE, [vector, wanted, limit])
        hits = self._connection().execute(sql.format(table=table), values).fetchall()
        return [number for number, _ in hits], [1.0 - far for _, far in hits]

    def read(self, name: str, numbers: Sequence[int]) -> Mapping[int, bytes]:
        sql = _READ.format(table=self._tables[name])
        return dict(self._connection().execute(sql, (json.dumps(numbers),)))

    def close(self) -> None:
        for connection in self._opened:
            connection.close()

    def _row(self, sql: str, *values: object) -> Any:
        return self._connection().execute(sql, values).fetchone()

    def _connection(self) -> Any:
        """The thread's own."""
        known = getattr(self._of_thread, "connection", None)
        if known is None:
            known = apsw.Connection(str(self._path))
            known.set_busy_timeout(_BUSY_MS)
            known.enable_load_extension(True)
            known.load_extension(sqlite_vec.loadable_path())
            known.enable_load_extension(False)
            for pragma in _PRAGMAS:
                known.execute(f"PRAGMA {pragma}")
            self._of_thread.connection = known
            self._opened.append(known)
        return known


def _table(number: int) -> str:
    return f"llama_vectors_{number}"
