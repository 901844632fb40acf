"""A vector database in this process, behind the six methods: it blocks, so threads call it, and it is opened by the
first request, since its library may take seconds to import.

Knows no library and no arrays: an engine takes and gives bytes.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

from runtime.apis.providers.protocol import ProviderHealth
from runtime.apis.vector_io import protocol as vector_io
from runtime.errors import Unavailable
from runtime.provider import ProviderContext, healthy, unhealthy
from runtime.providers.vector_io._shared import folders
from runtime.providers.vector_io._shared.errors import (
    check_dimension,
    check_dimensions,
    no_collection,
    other_dimension,
    unavailable,
)
from runtime.providers.vector_io._shared.pieces import Found

log = logging.getLogger(__name__)
T = TypeVar("T")
_READERS = max(2, min(8, os.cpu_count() or 2))
_WRITTEN = 4
"""Times that a library writes new vectors, at most: into its log, its journal, its table and its index."""
_HINT = "check the disk, the permissions of its folder, and the server's log"


class VectorEngine(Protocol):
    """A database that is open. Searches and reads come from several threads at once, beside one change at a time;
    `dimension`, `create` and `drop` never at once.

    failures: what its library raises when the database cannot be used. most_dimensions: the longest vectors. Vectors
    are bytes as in `PutVectors`; groups and numbers are never empty, and `dimension` has been asked for before. What is
    written is on disk when a method returns.
    """

    failures: tuple[type[Exception], ...]
    most_dimensions: int

    def dimension(self, name: str) -> int | None:
        """Of a collection; None if it is not there."""
        ...

    def create(self, name: str, dimension: int) -> None: ...

    def drop(self, name: str) -> None: ...

    def put(self, name: str, numbers: Sequence[int], vectors: bytes, dimension: int) -> None: ...

    def remove(self, name: str, groups: Sequence[int]) -> None: ...

    def search(self, name: str, vector: bytes, limit: int, groups: Sequence[int] | None) -> Found:
        """May fail in any of its ways if the collection is dropped meanwhile, as `read` may."""
        ...

    def read(self, name: str, numbers: Sequence[int]) -> Mapping[int, bytes]: ...

    def close(self) -> None: ...


@runtime_checkable
class CanEnd(Protocol):
    """An engine that can end by itself, as a program beside this process can; then it is opened again."""

    def has_ended(self) -> bool: ...


class EmbeddedVectors:
    """`VectorIo` over an engine. open_engine: called in a thread, again at each request until it succeeds, and when
    the engine has ended. folder: of its files, which is there when it is called. is_alone: whether two processes on
    one folder would do harm that the library does not prevent. room_bytes: of the disk, below which nothing is
    changed, for a library that does not survive a full one.
    """

    def __init__(
        self,
        context: ProviderContext,
        open_engine: Callable[[], VectorEngine],
        *,
        folder: Path,
        is_alone: bool = False,
        room_bytes: int = 0,
    ) -> None:
        self._provider_id = context.provider_id
        self._open_engine = open_engine
        self._folder = folder
        self._is_alone = is_alone
        self._room_bytes = room_bytes
        self._lock: int | None = None
        self._engine: VectorEngine | None = None
        self._can_end: CanEnd | None = None
        self._opening = threading.Lock()
        self._trouble: Unavailable | None = None
        self._dimensions: dict[str, int] = {}
        self._naming = threading.Lock()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix=f"{self._provider_id} writes")
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix=f"{self._provider_id} reads")

    async def stop(self) -> None:
        """Returns when what was asked for is done and the database is closed."""
        await asyncio.to_thread(self._close)

    async def check_health(self) -> ProviderHealth:
        """What the last request met."""
        return unhealthy(self._trouble.message) if self._trouble else healthy()

    async def create_collection(self, request: vector_io.CreateCollection) -> None:
        """Raises Conflict, RequestError, Unavailable."""
        name = request.collection

        def create(engine: VectorEngine) -> None:
            has = self._dimension(engine, name)
            if has is None:
                check_dimensions(request.dimension, most=engine.most_dimensions)
                with self._naming:
                    engine.create(name, request.dimension)
                    self._dimensions[name] = request.dimension
            elif has != request.dimension:
                raise other_dimension(name, has=has, asked=request.dimension)

        await self._change(create)

    async def drop_collection(self, request: vector_io.CollectionRequest) -> None:
        """Raises Unavailable."""
        name = request.collection

        def drop(engine: VectorEngine) -> None:
            if self._dimension(engine, name) is not None:
                with self._naming:
                    del self._dimensions[name]
                    engine.drop(name)

        await self._change(drop)

    async def put_vectors(self, request: vector_io.PutVectors) -> None:
        """Raises NotFound, RequestError, Unavailable."""

        def put(engine: VectorEngine) -> None:
            dimension = self._known(engine, request.collection)
            check_dimension(request.collection, request.vectors, count=len(request.numbers), dimension=dimension)
            if request.numbers:
                engine.put(request.collection, request.numbers, request.vectors, dimension)

        await self._change(put, new_bytes=len(request.vectors))

    async def remove_groups(self, request: vector_io.RemoveGroups) -> None:
        """Raises NotFound, Unavailable."""

        def remove(engine: VectorEngine) -> None:
            self._known(engine, request.collection)
            if request.groups:
                engine.remove(request.collection, request.groups)

        await self._change(remove)

    async def search_vectors(self, request: vector_io.SearchVectors) -> vector_io.Hits:
        """Raises NotFound, RequestError, Unavailable."""

        def search(engine: VectorEngine) -> vector_io.Hits:
            dimension = self._known(engine, request.collection)
            check_dimension(request.collection, request.vector, count=1, dimension=dimension)
            if request.groups is not None and not request.groups:
                return vector_io.Hits((), ())
            numbers, similarities = self._reading(
                request.collection,
                lambda: engine.search(request.collection, request.vector, request.limit, request.groups),
            )
            return vector_io.Hits(numbers, [max(-1.0, min(1.0, one)) for one in similarities])

        return await self._run(self._readers, search)

    async def read_vectors(self, request: vector_io.ReadVectors) -> vector_io.Vectors:
        """Raises NotFound, Unavailable."""

        def read(engine: VectorEngine) -> vector_io.Vectors:
            self._known(engine, request.collection)
            if not request.numbers:
                return vector_io.Vectors((), b"")
            found = self._reading(request.collection, lambda: engine.read(request.collection, request.numbers))
            numbers = [number for number in request.numbers if number in found]
            return vector_io.Vectors(numbers, b"".join([found[number] for number in numbers]))

        return await self._run(self._readers, read)

    async def _change(self, work: Callable[[VectorEngine], None], *, new_bytes: int = 0) -> None:
        """new_bytes: of vectors, each of which may be written several times."""

        def change(engine: VectorEngine) -> None:
            if self._room_bytes:
                folders.check_room(self._folder, self._room_bytes + _WRITTEN * new_bytes)
            work(engine)

        await self._run(self._writer, change)

    async def _run(self, threads: ThreadPoolExecutor, work: Callable[[VectorEngine], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(threads, self._done, work)

    def _done(self, work: Callable[[VectorEngine], T]) -> T:
        engine = self._opened()
        try:
            found = work(engine)
        except engine.failures as error:
            self._trouble = unavailable(self._provider_id, error, hint=_HINT)
            raise self._trouble from error
        self._trouble = None
        return found

    def _reading(self, name: str, read: Callable[[], T]) -> T:
        """What is read of a collection. Raises NotFound if it is dropped meanwhile."""
        try:
            return read()
        except Exception as error:
            if name in self._dimensions:
                raise
            raise no_collection(name) from error

    def _opened(self) -> VectorEngine:
        """Raises Unavailable if it cannot be opened."""
        engine = self._engine
        if engine is not None and not self._has_ended():
            return engine
        with self._opening:
            try:
                if self._has_ended():
                    log.warning("vector database has ended, and is opened again", extra={"provider": self._provider_id})
                    self._close_engine()
                if self._engine is None:
                    self._engine = engine = self._open()
                    self._can_end = engine if isinstance(engine, CanEnd) else None
            except Exception as error:  # whatever its library raises: a missing package, a broken file
                self._trouble = unavailable(self._provider_id, error, hint=_HINT)
                log.warning("vector database not opened", extra={"error": self._trouble.message}, exc_info=error)
                raise self._trouble from error
            return self._engine

    def _has_ended(self) -> bool:
        return self._can_end is not None and self._can_end.has_ended()

    def _open(self) -> VectorEngine:
        """Raises whatever the library raises, OSError."""
        folders.make(self._folder)
        if self._is_alone:
            self._lock = folders.hold(self._folder)
        try:
            return self._open_engine()
        except BaseException:
            self._release()
            raise

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _dimension(self, engine: VectorEngine, name: str) -> int | None:
        if (known := self._dimensions.get(name)) is not None:
            return known
        with self._naming:
            found = engine.dimension(name)
            if found is not None:
                self._dimensions[name] = found
            return found

    def _known(self, engine: VectorEngine, name: str) -> int:
        """The dimension of a collection. Raises NotFound."""
        dimension = self._dimension(engine, name)
        if dimension is None:
            raise no_collection(name)
        return dimension

    def _close(self) -> None:
        self._writer.shutdown()
        self._readers.shutdown()
        self._close_engine()

    def _close_engine(self) -> None:
        engine, self._engine, self._can_end = self._engine, None, None
        if engine is not None:
            engine.close()
        self._dimensions.clear()
        self._release()
