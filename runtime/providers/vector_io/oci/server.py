"""An Oracle database, by its driver's thin mode. https://python-oracledb.readthedocs.io (read November 2026)"""

from __future__ import annotations

import asyncio
import importlib
from array import array
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from runtime.apis.vector_io.protocol import group_of
from runtime.errors import Unavailable
from runtime.provider import ProviderContext
from runtime.providers.vector_io._shared.numbers import listed, packed, rows_of
from runtime.providers.vector_io._shared.pieces import Found, nearest, pieces, pieces_of_groups
from runtime.providers.vector_io._shared.remote import Missing, RemoteVectors
from runtime.providers.vector_io.oci import statements
from runtime.providers.vector_io.oci.config import OracleConfig

_AT_ONCE = 1000
_MOST_VALUES = 10_000
_MOST_HITS = 2**31 - 1
_CONNECTIONS = 10
_NO_TABLE = "ORA-00942"


def remote_oracle(config: OracleConfig, context: ProviderContext) -> RemoteVectors:
    """Collections of an Oracle database; the first request connects."""
    server = OracleServer(config, lambda: importlib.import_module("oracledb"))
    return RemoteVectors(context, server, stop=server.close)


class OracleServer:
    """Its tables. load: its driver, the package `oracledb`."""

    most_dimensions = 65_535

    def __init__(self, config: OracleConfig, load: Callable[[], Any]) -> None:
        self.place = "the Oracle database"
        self._config = config
        self._load = load
        self._opening = asyncio.Lock()
        self._driver: Any = None
        self._pool: Any = None

    async def close(self) -> None:
        if self._pool is not None:
            await self._pool.close(force=True)

    async def dimension(self, name: str) -> int:
        async with self._cursor(name) as cursor:
            await cursor.execute(statements.DIMENSION.format(table=statements.table_of(name)))
            return int(cursor.description[0].vector_dimensions)

    async def create(self, name: str, dimension: int) -> None:
        values = {
            "table": statements.table_of(name),
            "dimension": dimension,
            "datatype": self._config.vector_datatype,
        }
        async with self._cursor(name) as cursor:
            for statement in statements.CREATE:
                await cursor.execute(statement.format(**values))

    async def drop(self, name: str) -> None:
        async with self._cursor(name) as cursor:
            await cursor.execute(statements.DROP.format(table=statements.table_of(name)))

    async def put(self, name: str, numbers: Sequence[int], vectors: bytes, dimension: int) -> None:
        table = statements.table_of(name)
        rows = [
            (number, group_of(number), array("f", vector))
            for number, vector in zip(numbers, rows_of(vectors, dimension), strict=True)
        ]
        async with self._cursor(name) as cursor:
            for some in pieces(rows, _AT_ONCE):
                await cursor.executemany(statements.DELETE.format(table=table), [row[:1] for row in some])
                await cursor.executemany(statements.INSERT.format(table=table), [*some])

    async def remove(self, name: str, groups: Sequence[int]) -> None:
        statement = statements.REMOVE.format(table=statements.table_of(name))
        async with self._cursor(name) as cursor:
            for some in pieces(groups, _MOST_VALUES):
                await cursor.execute(statement, {"among": await self._list(cursor, some)})

    async def search(self, name: str, vector: bytes, limit: int, groups: Sequence[int] | None) -> Found:
        values = {"table": statements.table_of(name), "limit": min(limit, _MOST_HITS)}
        asked, found = array("f", listed(vector)), []
        async with self._cursor(name) as cursor:
            for some in pieces_of_groups(groups, _MOST_VALUES):
                if some is None:
                    await cursor.execute(statements.SEARCH.format(**values), {"near": asked})
                else:
                    within = await self._list(cursor, some)
                    await cursor.execute(statements.COMPARE.format(**values), {"near": asked, "among": within})
                rows = await cursor.fetchall()
                found.append(([int(number) for number, _ in rows], [1.0 - far for _, far in rows]))
        return nearest(found, limit)

    async def read(self, name: str, numbers: Sequence[int]) -> Mapping[int, bytes]:
        statement, found = statements.READ.format(table=statements.table_of(name)), dict[int, bytes]()
        async with self._cursor(name) as cursor:
            for some in pieces(numbers, _MOST_VALUES):
                await cursor.execute(statement, {"among": await self._list(cursor, some)})
                found |= {int(number): packed(vector) for number, vector in await cursor.fetchall()}
        return found

    async def _list(self, cursor: Any, numbers: Sequence[int]) -> Any:
        return (await cursor.connection.gettype("SYS.ODCINUMBERLIST")).newobject([*numbers])

    @asynccontextmanager
    async def _cursor(self, name: str) -> AsyncIterator[Any]:
        """Of a transaction, which is committed. Raises Missing for a table that is not there, Unavailable."""
        pool = await self._connected()
        try:
            async with pool.acquire() as connection:
                connection.call_timeout = int(self._config.timeout_s * 1000)
                with connection.cursor() as cursor:
                    yield cursor
                await connection.commit()
        except self._driver.Error as error:
            if getattr(error.args[0] if error.args else None, "full_code", "") == _NO_TABLE:
                raise Missing(name) from error
            raise Unavailable(" ".join(str(error).split())) from error

    async def _connected(self) -> Any:
        """Raises Unavailable."""
        async with self._opening:
            if self._pool is None:
                try:
                    self._driver = await asyncio.to_thread(self._load)
                except ImportError as error:
                    raise Unavailable(str(error)) from error
                config, secret = self._config, self._config.ewallet_password
                try:
                    self._pool = self._driver.create_pool_async(
                        config.conn_str,
                        user=config.user,
                        password=config.password.get_secret_value(),
                        config_dir=config.tnsnames_loc or None,
                        wallet_location=config.ewallet_pem_loc or None,
                        wallet_password=secret.get_secret_value() if secret else None,
                        min=0,
                        max=_CONNECTIONS,
                        increment=1,
                        tcp_connect_timeout=config.timeout_s,
                    )
                except self._driver.Error as error:  # such as a name that `tnsnames.ora` does not have
                    raise Unavailable(str(error)) from error
            return self._pool
