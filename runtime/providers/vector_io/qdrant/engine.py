"""Collections of Qdrant Edge, each a shard in a folder that is called `NAME-DIMENSION`.

A search compares with every vector: the library's `optimize`, which would make its approximate index, keeps Python's
lock until it is done (24 s for 20,000 vectors of 384 numbers with version 0.9), so that the whole server would stand.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import qdrant_edge as qdrant

from runtime.apis.vector_io.protocol import group_of
from runtime.providers.vector_io._shared.pieces import Found, pieces

T = TypeVar("T")
_AT_ONCE = 1000
_GROUP = "group"
_NEW, _DROPPED = ".new-", ".dropped-"
"""What the folder of a collection is called before it is complete, and while it is removed."""


class ShardFailure(Exception):
    """What the library says, which raises plain exceptions."""


class QdrantEngine:
    """Shards in a folder."""

    failures: tuple[type[Exception], ...] = (ShardFailure, OSError)
    most_dimensions = 65_536

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for left in (*folder.glob(f"{_NEW}*"), *folder.glob(f"{_DROPPED}*")):
            shutil.rmtree(left)
        self._shards: dict[str, Any] = {}

    def dimension(self, name: str) -> int | None:
        found = next(self._folder.glob(f"{name}-*"), None)
        if found is None:
            return None
        if name not in self._shards:
            self._shards[name] = _done(qdrant.EdgeShard.load, str(found))
        return int(found.name.rpartition("-")[2])

    def create(self, name: str, dimension: int) -> None:
        place = self._folder / f"{name}-{dimension}"
        new = self._made_way(_NEW, name)
        new.mkdir(mode=0o700)
        vectors = qdrant.EdgeVectorParams(size=dimension, distance=qdrant.Distance.Dot)
        shard = _done(qdrant.EdgeShard.create, str(new), qdrant.EdgeConfig(vectors=vectors))
        indexed = qdrant.UpdateOperation.create_field_index(_GROUP, qdrant.PayloadSchemaType.Integer)
        _done(shard.update, indexed)
        _done(shard.flush)
        _done(shard.close)
        new.rename(place)
        self._shards[name] = _done(qdrant.EdgeShard.load, str(place))

    def drop(self, name: str) -> None:
        _done(self._shards.pop(name).close)
        [place] = self._folder.glob(f"{name}-*")
        shutil.rmtree(place.rename(self._made_way(_DROPPED, name)))

    def put(self, name: str, numbers: Sequence[int], vectors: bytes, dimension: int) -> None:
        shard, rows = self._shards[name], np.frombuffer(vectors, "<f4").reshape(-1, dimension)
        for at in range(0, len(numbers), _AT_ONCE):
            given = zip(numbers[at : at + _AT_ONCE], rows[at : at + _AT_ONCE].tolist(), strict=True)
            points = [qdrant.Point(number, vector, {_GROUP: group_of(number)}) for number, vector in given]
            _done(shard.update, qdrant.UpdateOperation.upsert_points(points))
        _done(shard.flush)

    def remove(self, name: str, groups: Sequence[int]) -> None:
        shard = self._shards[name]
        _done(shard.update, qdrant.UpdateOperation.delete_points_by_filter(_within(groups)))
        _done(shard.flush)

    def search(self, name: str, vector: bytes, limit: int, groups: Sequence[int] | None) -> Found:
        request = qdrant.SearchRequest(
            qdrant.Query.Nearest(np.frombuffer(vector, "<f4").tolist()),
            limit,
            filter=None if groups is None else _within(groups),
        )
        hits = _done(self._shards[name].search, request)
        return [hit.id for hit in hits], [hit.score for hit in hits]

    def read(self, name: str, numbers: Sequence[int]) -> Mapping[int, bytes]:
        shard, found = self._shards[name], {}
        for some in pieces(numbers, _AT_ONCE):
            for record in _done(shard.retrieve, list(some), with_payload=False, with_vector=True):
                found[record.id] = np.array(record.vector, "<f4").tobytes()
        return found

    def _made_way(self, kind: str, name: str) -> Path:
        """Where nothing is any more, if it was broken off before."""
        place = self._folder / f"{kind}{name}"
        if place.exists():
            shutil.rmtree(place)
        return place

    def close(self) -> None:
        for shard in self._shards.values():
            _done(shard.close)


def _within(groups: Sequence[int]) -> Any:
    return qdrant.Filter(must=[qdrant.FieldCondition(_GROUP, match=qdrant.MatchAny(list(groups)))])


def _done(call: Callable[..., T], *values: Any, **named: Any) -> T:
    """What a call of the library returns. Raises ShardFailure."""
    try:
        return call(*values, **named)
    except Exception as error:
        if type(error) is Exception:
            raise ShardFailure(str(error)) from error
        raise
