"""Collections of Milvus by its own client, which blocks: each has a number, a group and a vector."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pymilvus import DataType, MilvusClient, MilvusException

from runtime import own_process
from runtime.apis.vector_io.protocol import group_of
from runtime.providers.vector_io._shared.errors import check_dimensions
from runtime.providers.vector_io._shared.pieces import Found, nearest, pieces, pieces_of_groups

if own_process.is_ours():
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # it logs, with a traceback, what it raises anyway
_AT_ONCE = 1000
_LEAST_DIMENSIONS = 2
_MOST_GROUPS = 10_000
_MOST_HITS = 16_384


class MilvusCollections:
    """index_type: of collections that are made. timeout_s: of each call; None for no limit. Each method raises one of
    `failures`.
    """

    failures: tuple[type[Exception], ...] = (MilvusException, OSError)
    most_dimensions = 32_768

    def __init__(self, client: Any, *, index_type: str, consistency_level: str, timeout_s: float | None = None) -> None:
        self._client = client
        self._index_type = index_type
        self._consistency_level = consistency_level
        self._limit = {"timeout": timeout_s}

    def dimension(self, name: str) -> int | None:
        if not self._client.has_collection(name, **self._limit):
            return None
        if not self._client.list_indexes(name, **self._limit):
            self._make_searchable(name)  # its creation was broken off
        fields = {field["name"]: field for field in self._client.describe_collection(name, **self._limit)["fields"]}
        return int(fields["vector"]["params"]["dim"])

    def create(self, name: str, dimension: int) -> None:
        """Raises RequestError."""
        check_dimensions(dimension, least=_LEAST_DIMENSIONS, most=self.most_dimensions)
        schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("in_group", DataType.INT64)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dimension)
        self._client.create_collection(name, schema=schema, consistency_level=self._consistency_level, **self._limit)
        self._make_searchable(name)

    def drop(self, name: str) -> None:
        self._client.drop_collection(name, **self._limit)

    def put(self, name: str, numbers: Sequence[int], vectors: bytes, dimension: int) -> None:
        rows = np.frombuffer(vectors, "<f4").reshape(-1, dimension)
        for at in range(0, len(numbers), _AT_ONCE):
            given = zip(numbers[at : at + _AT_ONCE], rows[at : at + _AT_ONCE], strict=True)
            new = [{"id": number, "in_group": group_of(number), "vector": vector} for number, vector in given]
            self._client.upsert(name, new, **self._limit)

    def remove(self, name: str, groups: Sequence[int]) -> None:
        for some in pieces(groups, _MOST_GROUPS):
            self._client.delete(name, filter=_within(some), **self._limit)

    def search(self, name: str, vector: bytes, limit: int, groups: Sequence[int] | None) -> Found:
        """Not more than 16,384, which it does not give."""
        asked, most = [np.frombuffer(vector, "<f4")], min(limit, _MOST_HITS)

        def search(groups: Sequence[int] | None) -> Found:
            where = "" if groups is None else _within(groups)
            [hits] = self._client.search(name, asked, limit=most, filter=where, **self._limit)
            return [hit["id"] for hit in hits], [hit["distance"] for hit in hits]

        return nearest([search(some) for some in pieces_of_groups(groups, _MOST_GROUPS)], most)

    def read(self, name: str, numbers: Sequence[int]) -> Mapping[int, bytes]:
        found: dict[int, bytes] = {}
        for some in pieces(numbers, _AT_ONCE):
            for row in self._client.get(name, list(some), output_fields=["vector"], **self._limit):
                found[row["id"]] = np.array(row["vector"], "<f4").tobytes()
        return found

    def _make_searchable(self, name: str) -> None:
        index = self._client.prepare_index_params()
        index.add_index("vector", index_type=self._index_type, metric_type="IP")
        self._client.create_index(name, index, **self._limit)
        self._client.load_collection(name, **self._limit)

    def close(self) -> None:
        self._client.close()


def connected(
    arguments: Mapping[str, Any], *, index_type: str, consistency_level: str, timeout_s: float
) -> MilvusCollections:
    """Collections of a server. arguments: of the client. Raises whatever the client raises if it cannot connect."""
    client = MilvusClient(**arguments, timeout=timeout_s)
    return MilvusCollections(client, index_type=index_type, consistency_level=consistency_level, timeout_s=timeout_s)


def _within(groups: Sequence[int]) -> str:
    return f"in_group in {[*groups]}"
