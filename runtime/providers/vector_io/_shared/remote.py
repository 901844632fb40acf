"""A vector database that is a server, behind the six methods. Other replicas may use it too: what is known about its
collections is asked for, remembered, and forgotten when it turns out wrong.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Awaitable, Callable, Mapping, Sequence
from operator import index
from typing import Protocol, TypeVar

from runtime.apis.providers.protocol import ProviderHealth
from runtime.apis.vector_io import protocol as vector_io
from runtime.errors import StackError, Unavailable, UpstreamError, UpstreamRejected
from runtime.provider import ProviderContext, healthy, unhealthy
from runtime.providers.vector_io._shared.errors import (
    check_dimension,
    check_dimensions,
    no_collection,
    other_dimension,
    senseless,
    unavailable,
)
from runtime.providers.vector_io._shared.pieces import Found

T = TypeVar("T")
log = logging.getLogger(__name__)
_SENSELESS = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, struct.error)


class Missing(Exception):
    """A collection that is not there."""


def is_missing(error: Exception) -> bool:
    """Whether a server has answered that there is no such thing."""
    return isinstance(error, UpstreamRejected) and error.status == 404


class VectorServer(Protocol):
    """A server's collections. Vectors are bytes as in `PutVectors`; groups and numbers are never empty. What is written
    is found by the next request. Each method raises Missing, or UpstreamRejected with status 404; and UpstreamError or
    Unavailable while the server cannot be used. most_dimensions: the longest vectors. place: where it is, for messages.
    """

    most_dimensions: int
    place: str

    async def dimension(self, name: str) -> int: ...

    async def create(self, name: str, dimension: int) -> None:
        """Nothing changes if another one has made it meanwhile."""
        ...

    async def drop(self, name: str) -> None: ...

    async def put(self, name: str, numbers: Sequence[int], vectors: bytes, dimension: int) -> None: ...

    async def remove(self, name: str, groups: Sequence[int]) -> None: ...

    async def search(self, name: str, vector: bytes, limit: int, groups: Sequence[int] | None) -> Found: ...

    async def read(self, name: str, numbers: Sequence[int]) -> Mapping[int, bytes]: ...


class RemoteVectors:
    """`VectorIo` over a server. stop: releases what it uses."""

    def __init__(
        self, context: ProviderContext, server: VectorServer, *, stop: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self._provider_id = context.provider_id
        self._server = server
        self._stop = stop
        self._dimensions: dict[str, int] = {}
        self._trouble: StackError | None = None

    async def stop(self) -> None:
        if self._stop is not None:
            await self._stop()

    async def check_health(self) -> ProviderHealth:
        """What the last request met; a server that nobody asks is not asked for this either."""
        return unhealthy(self._trouble.message) if self._trouble else healthy()

    async def create_collection(self, request: vector_io.CreateCollection) -> None:
        """Raises Conflict, RequestError, Unavailable."""
        check_dimensions(request.dimension, most=self._server.most_dimensions)
        name, asked = request.collection, request.dimension
        try:
            has = await self._of(self._server.dimension(name))
        except Missing:
            has = await self._made(name, asked)
        if has != asked:
            raise other_dimension(name, has=has, asked=asked)
        self._dimensions[name] = has

    async def drop_collection(self, request: vector_io.CollectionRequest) -> None:
        """Raises Unavailable."""
        self._dimensions.pop(request.collection, None)
        try:
            await self._of(self._server.drop(request.collection))
        except Missing:
            return

    async def put_vectors(self, request: vector_io.PutVectors) -> None:
        """Raises NotFound, RequestError, Unavailable."""
        name = request.collection
        dimension = await self._known(name)
        check_dimension(name, request.vectors, count=len(request.numbers), dimension=dimension)
        if request.numbers:
            await self._found(name, self._server.put(name, request.numbers, request.vectors, dimension))

    async def remove_groups(self, request: vector_io.RemoveGroups) -> None:
        """Raises NotFound, Unavailable."""
        await self._known(request.collection)
        if request.groups:
            await self._found(request.collection, self._server.remove(request.collection, request.groups))

    async def search_vectors(self, request: vector_io.SearchVectors) -> vector_io.Hits:
        """Raises NotFound, RequestError, Unavailable."""
        name = request.collection
        check_dimension(name, request.vector, count=1, dimension=await self._known(name))
        if request.groups is not None and not request.groups:
            return vector_io.Hits((), ())
        return await self._found(name, self._hits(request))

    async def read_vectors(self, request: vector_io.ReadVectors) -> vector_io.Vectors:
        """Raises NotFound, Unavailable."""
        await self._known(request.collection)
        if not request.numbers:
            return vector_io.Vectors((), b"")
        return await self._found(request.collection, self._vectors(request))

    async def _hits(self, request: vector_io.SearchVectors) -> vector_io.Hits:
        numbers, similarities = await self._server.search(
            request.collection, request.vector, request.limit, request.groups
        )
        return vector_io.Hits(
            [index(number) for number in numbers], [max(-1.0, min(1.0, float(one))) for one in similarities]
        )

    async def _vectors(self, request: vector_io.ReadVectors) -> vector_io.Vectors:
        found = await self._server.read(request.collection, request.numbers)
        numbers = [number for number in request.numbers if number in found]
        return vector_io.Vectors(numbers, b"".join([found[number] for number in numbers]))

    async def _made(self, name: str, dimension: int) -> int:
        """Make a collection. Returns the dimension that it has then. Raises Unavailable."""
        try:
            await self._of(self._server.create(name, dimension))
            return await self._of(self._server.dimension(name))
        except Missing as error:  # what it needs is missing, or the server has failed halfway
            trouble = Unavailable(f"it cannot make a collection: {error.__cause__ or error}")
            self._trouble = unavailable(self._provider_id, trouble, hint="see the log of the server")
            raise self._trouble from error

    async def _known(self, name: str) -> int:
        """The dimension of a collection. Raises NotFound, Unavailable."""
        if name not in self._dimensions:
            self._dimensions[name] = await self._found(name, self._server.dimension(name))
        return self._dimensions[name]

    async def _found(self, name: str, work: Awaitable[T]) -> T:
        """Raises NotFound, Unavailable, UpstreamError."""
        try:
            return await self._of(work)
        except Missing as error:
            self._dimensions.pop(name, None)
            raise no_collection(name) from error

    async def _of(self, work: Awaitable[T]) -> T:
        """Raises Missing, Unavailable; UpstreamError for an answer that makes no sense."""
        try:
            found = await work
        except (UpstreamError, Unavailable) as error:
            if is_missing(error):
                raise Missing(str(error)) from error
            hint = f"check that {self._server.place} runs, and the provider's config"
            self._trouble = unavailable(self._provider_id, error, hint=hint)
            raise self._trouble from error
        except Missing:
            self._trouble = None
            raise
        except _SENSELESS as error:
            # The client has taken what the server said for what is documented, and tripped over it.
            log.exception("a vector database gave a senseless answer", extra={"provider": self._provider_id})
            self._trouble = senseless(self._provider_id, error, place=self._server.place)
            raise self._trouble from error
        self._trouble = None
        return found
