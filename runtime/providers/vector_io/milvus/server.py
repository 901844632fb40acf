"""A Milvus server, by its own client in threads. https://milvus.io/api-reference/pymilvus (read November 2026)"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from runtime.addresses import PORTS
from runtime.errors import Unavailable
from runtime.provider import ProviderContext
from runtime.providers.vector_io._shared.pieces import Found
from runtime.providers.vector_io._shared.remote import Missing, RemoteVectors
from runtime.providers.vector_io.milvus.config import MilvusServerConfig

if TYPE_CHECKING:
    from runtime.providers.vector_io.milvus.client import MilvusCollections

T = TypeVar("T")
_THREADS = 8
_CONNECT_S = 10.0
_NOT_FOUND = 100
"""The code for a collection that is not there."""


def remote_milvus(config: MilvusServerConfig, context: ProviderContext) -> RemoteVectors:
    """Collections of a Milvus server; the first request connects."""
    server = MilvusServer(config)
    return RemoteVectors(context, server, stop=server.close)


class MilvusServer:
    """Its collections."""

    most_dimensions = 32_768

    def __init__(self, config: MilvusServerConfig) -> None:
        self._config = config
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="milvus")
        self._opening = asyncio.Lock()
        self._collections: MilvusCollections | None = None
        self.place = "the Milvus server"

    async def close(self) -> None:
        """Returns when what was asked for is done."""
        await asyncio.to_thread(self._threads.shutdown)
        if self._collections is not None:
            self._collections.close()

    async def dimension(self, name: str) -> int:
        """Raises Missing."""
        found = await self._run(name, lambda milvus: milvus.dimension(name))
        if found is None:
            raise Missing(name)
        return found

    async def create(self, name: str, dimension: int) -> None:
        """Raises Unavailable."""
        try:
            await self._run(name, lambda milvus: milvus.create(name, dimension))
        except Unavailable as error:
            try:
                await self.dimension(name)  # another one has made it meanwhile
            except Missing:
                raise error from None

    async def drop(self, name: str) -> None:
        await self._run(name, lambda milvus: milvus.drop(name))

    async def put(self, name: str, numbers: Sequence[int], vectors: bytes, dimension: int) -> None:
        await self._run(name, lambda milvus: milvus.put(name, numbers, vectors, dimension))

    async def remove(self, name: str, groups: Sequence[int]) -> None:
        await self._run(name, lambda milvus: milvus.remove(name, groups))

    async def search(self, name: str, vector: bytes, limit: int, groups: Sequence[int] | None) -> Found:
        return await self._run(name, lambda milvus: milvus.search(name, vector, limit, groups))

    async def read(self, name: str, numbers: Sequence[int]) -> Mapping[int, bytes]:
        return await self._run(name, lambda milvus: milvus.read(name, numbers))

    async def _run(self, name: str, work: Callable[[MilvusCollections], T]) -> T:
        """Raises Missing for a collection that is not there, Unavailable."""
        collections = await self._connected()
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._done, collections, name, work)

    def _done(self, collections: MilvusCollections, name: str, work: Callable[[MilvusCollections], T]) -> T:
        try:
            return work(collections)
        except collections.failures as error:
            if self._is_gone(collections, name, error):
                raise Missing(name) from error
            raise _unavailable(error) from error

    def _is_gone(self, collections: MilvusCollections, name: str, error: Exception) -> bool:
        """Whether an error comes from that. The server's own have numbers from 100 on."""
        code = getattr(error, "code", None)
        if not isinstance(code, int) or code < _NOT_FOUND:
            return False
        return code == _NOT_FOUND or collections.dimension(name) is None

    async def _connected(self) -> MilvusCollections:
        """Raises Unavailable."""
        if self._collections is not None:
            return self._collections
        async with self._opening:
            if self._collections is None:
                self._collections = await asyncio.get_running_loop().run_in_executor(self._threads, self._opened)
            return self._collections

    def _opened(self) -> MilvusCollections:
        """Raises Unavailable. Milvus's own client does not say why it cannot connect, and waits long before it does."""
        from runtime.providers.vector_io.milvus.client import connected  # five seconds

        config, place = self._config, urlsplit(self._config.uri)
        try:
            address = (place.hostname, place.port or PORTS[place.scheme])
            socket.create_connection(address, timeout=_CONNECT_S).close()
            return connected(
                config.client_arguments(),
                index_type=config.index_type,
                consistency_level=config.consistency_level,
                timeout_s=config.timeout_s,
            )
        except OSError as error:
            raise Unavailable(error.strerror or str(error)) from error
        except Exception as error:  # whatever its library raises
            raise _unavailable(error) from error


def _unavailable(error: Exception) -> Unavailable:
    """With the words of Milvus's own errors."""
    return Unavailable(str(getattr(error, "message", error)))
