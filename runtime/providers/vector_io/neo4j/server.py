"""A Neo4j server, by its own driver. https://neo4j.com/docs/api/python-driver (read November 2026)"""

from __future__ import annotations

import asyncio
import importlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from runtime.apis.vector_io.protocol import group_of
from runtime.errors import Unavailable
from runtime.provider import ProviderContext
from runtime.providers.vector_io._shared.numbers import listed, packed, rows_of
from runtime.providers.vector_io._shared.pieces import Found, pieces
from runtime.providers.vector_io._shared.remote import Missing, RemoteVectors
from runtime.providers.vector_io.neo4j.config import Neo4jConfig
from runtime.providers.vector_io.neo4j.statements import Statements

_AT_ONCE = 1000
_MOST_HITS = 10_000
_CANDIDATES = 200
_RETRY_S = 1.0
_MOST_REMOVED = 10_000
"""Of one transaction, which is kept in memory."""


def remote_neo4j(config: Neo4jConfig, context: ProviderContext) -> RemoteVectors:
    """Collections of a Neo4j database; the first request connects."""
    server = Neo4jServer(config, lambda: importlib.import_module("neo4j"))
    return RemoteVectors(context, server, stop=server.close)


class Neo4jServer:
    """Its collections. A node has a vector's number, its group and the vector.

    load: its driver, the package `neo4j`, which takes half a second to import.
    """

    most_dimensions = 4096

    def __init__(self, config: Neo4jConfig, load: Callable[[], Any]) -> None:
        self.place = "the Neo4j server"
        self._config = config
        self._load = load
        self._statements = Statements(config.index_prefix)
        self._opening = asyncio.Lock()
        self._driver: Any = None
        self._failures: tuple[type[Exception], ...] = ()

    async def close(self) -> None:
        if self._driver is not None:
            await self._driver.close()

    async def dimension(self, name: str) -> int:
        return (await self._found(name))[1]

    async def create(self, name: str, dimension: int) -> None:
        await self._run(self._statements.name_is_unique())
        label = f"{self._config.index_prefix}_{secrets.token_hex(8)}"
        for statement in self._statements.prepare(label, dimension):
            await self._run(statement)
        [made] = await self._run(self._statements.register(), name=name, label=label, dimension=dimension)
        if made["label"] != label:  # another one has made it meanwhile
            await self._clear(label)

    async def drop(self, name: str) -> None:
        label, _ = await self._found(name)
        await self._run(self._statements.forget(), name=name, label=label)
        await self._until_none(self._statements.remove_all(label))
        await self._clear(label)

    async def put(self, name: str, numbers: Sequence[int], vectors: bytes, dimension: int) -> None:
        """Raises Missing, Unavailable."""
        label, _ = await self._found(name)
        rows = [
            {"number": number, "in_group": group_of(number), "vector": vector}
            for number, vector in zip(numbers, rows_of(vectors, dimension), strict=True)
        ]
        for some in pieces(rows, _AT_ONCE):
            [answer] = await self._run(self._statements.put(label), name=name, label=label, rows=[*some])
            if not answer["done"]:
                raise Missing(name)

    async def remove(self, name: str, groups: Sequence[int]) -> None:
        label, _ = await self._found(name)
        await self._until_none(self._statements.remove(label), groups=[*groups])

    async def search(self, name: str, vector: bytes, limit: int, groups: Sequence[int] | None) -> Found:
        """Not more than 10,000, which an index does not give."""
        label, _ = await self._found(name)
        asked: dict[str, Any] = {"vector": listed(vector), "most": min(limit, _MOST_HITS)}
        if groups is None:
            statement = self._statements.search(label)
            asked["candidates"] = max(asked["most"], _CANDIDATES)
        else:
            statement, asked["groups"] = self._statements.compare(label), [*groups]
        try:
            hits = await self._run(statement, **asked)
        except Unavailable:
            await self._found(name)  # Missing, if it was removed meanwhile
            raise
        return [hit["number"] for hit in hits], [2 * hit["score"] - 1 for hit in hits]

    async def read(self, name: str, numbers: Sequence[int]) -> Mapping[int, bytes]:
        label, _ = await self._found(name)
        found: dict[int, bytes] = {}
        for some in pieces(numbers, _AT_ONCE):
            for row in await self._run(self._statements.read(label), numbers=[*some]):
                found[row["number"]] = packed(row["vector"])
        return found

    async def _found(self, name: str) -> tuple[str, int]:
        """The label and the dimension of a collection. Raises Missing, Unavailable."""
        rows = await self._run(self._statements.find(), name=name)
        if not rows:
            raise Missing(name)
        return rows[0]["label"], rows[0]["dimension"]

    async def _clear(self, label: str) -> None:
        for statement in self._statements.clear(label):
            await self._run(statement)

    async def _until_none(self, statement: str, **values: Any) -> None:
        done = _MOST_REMOVED
        while done == _MOST_REMOVED:
            [answer] = await self._run(statement, most=_MOST_REMOVED, **values)
            done = answer["done"]

    async def _run(self, statement: str, **values: Any) -> Any:
        """The records. Raises Unavailable."""
        driver = await self._connected()
        try:
            return (await driver.execute_query(statement, values, database_=self._config.database)).records
        except self._failures as error:
            raise Unavailable(" ".join(str(error).split())) from error

    async def _connected(self) -> Any:
        """Raises Unavailable."""
        async with self._opening:
            if self._driver is None:
                try:
                    neo4j = await asyncio.to_thread(self._load)
                except ImportError as error:
                    raise Unavailable(str(error)) from error
                password = self._config.password
                self._failures = (neo4j.exceptions.Neo4jError, neo4j.exceptions.DriverError, OSError)
                self._driver = neo4j.AsyncGraphDatabase.driver(
                    self._config.uri,
                    auth=(self._config.user, password.get_secret_value()) if password else None,
                    connection_timeout=self._config.timeout_s,
                    connection_acquisition_timeout=self._config.timeout_s,
                    max_transaction_retry_time=_RETRY_S,
                    notifications_min_severity="OFF",
                )
            return self._driver
