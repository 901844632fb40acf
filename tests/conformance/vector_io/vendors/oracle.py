"""Oracle's driver as far as it is called, over an exact search: no small server speaks the database's protocol.

It knows statements by their text alone: whether they are right SQL only Oracle can say.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import SimpleNamespace
from typing import Any

from tests.conformance.vector_io.wire import Rows, expect

_CREATE = re.compile(
    r"CREATE TABLE IF NOT EXISTS TABLE \(num NUMBER\(19\) PRIMARY KEY, in_group NUMBER\(19\) NOT NULL,"
    r" embedding VECTOR\((\d+), FLOAT32\) NOT NULL\)"
)
_NEAREST = re.compile(
    r"SELECT num, VECTOR_DISTANCE\(embedding, :near, COSINE\) AS far FROM TABLE"
    r"( WHERE in_group IN \(SELECT column_value FROM TABLE\(:among\)\))?"
    r" ORDER BY far FETCH (?:APPROX|EXACT) FIRST (\d+) ROWS ONLY"
)
_MOST_LISTED = 32_767


class Refusal(Exception):
    """oracledb.Error."""


class Oracle:
    """The package, its pool and connection."""

    Error = Refusal

    def __init__(self) -> None:
        self.is_down = False
        self.asked: list[str] = []
        self._tables: dict[str, Rows] = {}
        self.commits = 0

    def create_pool_async(self, dsn: str, **settings: Any) -> Any:
        given = {name: value for name, value in settings.items() if value is not None}
        expect(dsn == "127.0.0.1:1521/free" and given["password"] == "secret", "where and who")
        return SimpleNamespace(acquire=self._acquire, close=self._close)

    async def _close(self, *, force: bool) -> None: ...

    @asynccontextmanager
    async def _acquire(self) -> AsyncIterator[Any]:
        if self.is_down:
            raise Refusal(SimpleNamespace(full_code="DPY-6005"), "DPY-6005: cannot connect.\nConnection refused")
        yield SimpleNamespace(cursor=self._cursor, commit=self._commit, gettype=self._gettype)

    async def _commit(self) -> None:
        self.commits += 1

    async def _gettype(self, name: str) -> Any:
        expect(name == "SYS.ODCINUMBERLIST", "the type")
        return SimpleNamespace(newobject=list)

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        yield Cursor(self)


class Cursor:
    def __init__(self, oracle: Oracle) -> None:
        self._oracle = oracle
        self._tables = oracle._tables
        self._rows: list[Any] = []
        self.connection = SimpleNamespace(gettype=oracle._gettype)
        self.description: list[Any] = []

    async def execute(self, statement: str, values: Any = None) -> None:
        self._oracle.asked.append(statement)
        name = re.search(r"llama_\w+?(?=_group ON|\b)", statement)
        assert name is not None
        table, text = name[0], statement.replace(name[0], "TABLE")
        if made := _CREATE.fullmatch(text):
            self._tables.setdefault(table, Rows(int(made[1])))
        elif text.startswith("CREATE INDEX"):
            expect(text == "CREATE INDEX IF NOT EXISTS TABLE_group ON TABLE (in_group)", text)
        elif table not in self._tables:
            raise Refusal(SimpleNamespace(full_code="ORA-00942"))
        else:
            self._rows = self._answer(table, text, values)

    async def executemany(self, statement: str, values: list[tuple[Any, ...]]) -> None:
        [name] = set(re.findall(r"llama_\w+", statement))
        rows = self._tables.get(name)
        if rows is None:
            raise Refusal(SimpleNamespace(full_code="ORA-00942"))
        if statement == f"DELETE FROM {name} WHERE num = :1":
            rows.forget({number for (number,) in values})
            return
        expect(statement == f"INSERT INTO {name} (num, in_group, embedding) VALUES (:1, :2, :3)", statement)
        for number, group, vector in values:
            expect(isinstance(vector, array) and vector.typecode == "f", "the vector")
            expect(not rows.read([number]), "ORA-00001: unique constraint")
            rows.put(number, group, vector.tolist())

    async def fetchall(self) -> list[Any]:
        return self._rows

    def _answer(self, table: str, text: str, values: Any) -> list[Any]:
        rows = self._tables[table]
        among = (values or {}).get("among", [])
        expect(len(among) <= _MOST_LISTED, "too long a list")
        if nearest := _NEAREST.fullmatch(text):
            groups = {*among} if nearest[1] else None
            found = rows.search(values["near"].tolist(), int(nearest[2]), groups)
            return [(number, 1 - cosine) for number, cosine in found]
        match text:
            case "SELECT embedding FROM TABLE WHERE 1 = 0":
                self.description = [SimpleNamespace(vector_dimensions=rows.dimension)]
            case "DROP TABLE TABLE PURGE":
                del self._tables[table]
            case "DELETE FROM TABLE WHERE in_group IN (SELECT column_value FROM TABLE(:among))":
                rows.remove({*among})
            case "SELECT num, embedding FROM TABLE WHERE num IN (SELECT column_value FROM TABLE(:among))":
                return [(number, array("f", row)) for number, _, row in rows.read(among)]
            case _:
                raise AssertionError(text)
        return []
