"""Collections in PostgreSQL: a table of numbers and vectors for each.

A search of some groups goes through their vectors where these are few, since an index that is searched first may leave
none of them. Of more it lets the index go on until it has enough, which pgvector can from version 0.8; an older one
compares with all of them too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from runtime.apis.vector_io.protocol import GROUP_BITS
from runtime.errors import StackError
from runtime.providers.vector_io._shared.numbers import listed, packed, rows_of
from runtime.providers.vector_io._shared.pieces import Found
from runtime.providers.vector_io._shared.remote import Missing
from runtime.providers.vector_io.pgvector.config import HnswIndex, PgVectorConfig
from runtime.storage.postgres.connections import Connection, Connections
from runtime.storage.postgres.failures import DRIVER_ERRORS, as_ours, sqlstate

_NO_TABLE = "42P01"  # undefined_table
_MOST_INDEXED = 2000
_MOST_CANDIDATES = 1000
_FEW = 20_000
_ITERATES_FROM = (0, 8)
_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtext('llama_stack.vectors'))"
_DIMENSION = "SELECT atttypmod FROM pg_attribute WHERE attrelid = to_regclass($1) AND attname = 'vector'"
_VERSION = "SELECT extversion FROM pg_extension WHERE extname = 'vector'"
_TABLE = "CREATE TABLE IF NOT EXISTS {table} (number bigint PRIMARY KEY, vector vector({dimension}) NOT NULL)"
_BY_GROUP = f"CREATE INDEX ON {{table}} ((number >> {GROUP_BITS}))"
_HNSW = "CREATE INDEX ON {table} USING hnsw (vector vector_ip_ops) WITH (m = {m}, ef_construction = {ef_construction})"
_IVF = "CREATE INDEX ON {table} USING ivfflat (vector vector_ip_ops) WITH (lists = {nlist})"
_PUT = """INSERT INTO {table} (number, vector)
    SELECT n, v::vector FROM unnest($1::bigint[], $2::text[]) AS given (n, v)
    ON CONFLICT (number) DO UPDATE SET vector = excluded.vector"""
_WITHIN = f"number >> {GROUP_BITS} = ANY($2::bigint[])"
_SEARCH = """SELECT number, -(vector <#> $1::text::vector) FROM {table} {where}
    ORDER BY vector <#> $1::text::vector LIMIT {limit}"""
_COMPARE = f"""WITH chosen AS MATERIALIZED (SELECT number, vector FROM {{table}} WHERE {_WITHIN})
    SELECT number, -(vector <#> $1::text::vector) AS near FROM chosen ORDER BY near DESC LIMIT {{limit}}"""  # noqa: S608  # ours
_OF_GROUPS = _WITHIN.replace("$2", "$1")
_COUNT = f"SELECT count(*) FROM (SELECT FROM {{table}} WHERE {_OF_GROUPS} LIMIT {_FEW + 1}) chosen"  # noqa: S608  # ours
_REMOVE = f"DELETE FROM {{table}} WHERE {_OF_GROUPS}"  # noqa: S608  # ours
_READ = "SELECT number, vector::real[] FROM {table} WHERE number = ANY($1::bigint[])"


class PgVectorServer:
    """The tables of a database."""

    most_dimensions = 16_000

    def __init__(self, config: PgVectorConfig) -> None:
        self._index = config.vector_index
        self._connections = Connections(config.settings())
        self._iterates: bool | None = None
        self.place = self._connections.place

    async def close(self) -> None:
        await self._connections.close()

    async def dimension(self, name: str) -> int:
        """Raises Missing, Unavailable."""
        async with self._using() as connection:
            found = await connection.fetchval(_DIMENSION, _table(name))
        if found is None:
            raise Missing(name)
        return int(found)

    async def create(self, name: str, dimension: int) -> None:
        async with self._using() as connection, connection.transaction():
            await connection.execute(_ONE_AT_A_TIME)
            if await connection.fetchval(_DIMENSION, _table(name)) is not None:
                return
            if await connection.fetchval(_VERSION) is None:
                await connection.execute("CREATE EXTENSION vector")
            await connection.execute(_TABLE.format(table=_table(name), dimension=dimension))
            await connection.execute(_BY_GROUP.format(table=_table(name)))
            if self._index is not None and dimension <= _MOST_INDEXED:
                index = _HNSW if isinstance(self._index, HnswIndex) else _IVF
                await connection.execute(index.format(table=_table(name), **self._index.model_dump()))

    async def drop(self, name: str) -> None:
        async with self._using() as connection:
            await connection.execute(f"DROP TABLE IF EXISTS {_table(name)}")

    async def put(self, name: str, numbers: Sequence[int], vectors: bytes, dimension: int) -> None:
        texts = [str(row) for row in rows_of(vectors, dimension)]
        async with self._using() as connection:
            await connection.execute(_PUT.format(table=_table(name)), numbers, texts)

    async def remove(self, name: str, groups: Sequence[int]) -> None:
        async with self._using() as connection:
            await connection.execute(_REMOVE.format(table=_table(name)), groups)

    async def search(self, name: str, vector: bytes, limit: int, groups: Sequence[int] | None) -> Found:
        table, asked = _table(name), str(listed(vector))
        async with self._using() as connection, connection.transaction(readonly=True):
            if groups is None:
                await self._widen(connection, limit)
                rows = await connection.fetch(_SEARCH.format(table=table, where="", limit=limit), asked)
            elif await self._is_for_index(connection, table, limit, groups):
                await self._widen(connection, limit)
                await connection.execute("SET LOCAL hnsw.iterative_scan = strict_order")
                sql = _SEARCH.format(table=table, where=f"WHERE {_WITHIN}", limit=limit)
                rows = await connection.fetch(sql, asked, groups)
            else:
                rows = await connection.fetch(_COMPARE.format(table=table, limit=limit), asked, groups)
        return [row[0] for row in rows], [row[1] for row in rows]

    async def read(self, name: str, numbers: Sequence[int]) -> Mapping[int, bytes]:
        async with self._using() as connection:
            rows = await connection.fetch(_READ.format(table=_table(name)), numbers)
        return {row[0]: packed(row[1]) for row in rows}

    async def _is_for_index(self, connection: Connection, table: str, limit: int, groups: Sequence[int]) -> bool:
        """Whether the index finds enough vectors of these groups sooner than all are compared."""
        if not isinstance(self._index, HnswIndex) or limit > _MOST_CANDIDATES:
            return False
        if self._iterates is None:
            version = str(await connection.fetchval(_VERSION))
            self._iterates = tuple(map(int, version.split(".")[:2])) >= _ITERATES_FROM
        return self._iterates and await connection.fetchval(_COUNT.format(table=table), groups) > _FEW

    async def _widen(self, connection: Connection, limit: int) -> None:
        """Let the index look at enough candidates; beyond what it can, the search does without it."""
        if limit > _MOST_CANDIDATES:
            await connection.execute("SET LOCAL enable_indexscan = off")
        elif isinstance(self._index, HnswIndex):
            await connection.execute(f"SET LOCAL hnsw.ef_search = {max(limit, self._index.ef_search)}")
        elif self._index is not None:
            await connection.execute(f"SET LOCAL ivfflat.probes = {self._index.nprobe}")

    @asynccontextmanager
    async def _using(self) -> AsyncIterator[Any]:
        """A connection. Raises Missing for a table that is not there, Unavailable."""
        try:
            async with self._connections.use() as connection:
                yield connection
        except DRIVER_ERRORS as error:
            if sqlstate(error) == _NO_TABLE:
                raise Missing(str(error)) from error
            ours = as_ours(self.place, "asked", error)
            raise ours if isinstance(ours, StackError) else error from error


def _table(name: str) -> str:
    """Of a collection; its name has nothing that would need quotes but words of SQL, which none begins like."""
    return f"v_{name}"
