"""Collections of Milvus Lite, each with a number, a group and a vector; a search compares with every vector.

Lite is a program that ends with this process, and is asked over a socket in the file system.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pymilvus import DataType, MilvusClient, MilvusException

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # `pkg_resources` is deprecated
    from milvus_lite.server_manager import server_manager_instance

from runtime.apis.vector_io import group_of
from runtime.providers.vector_io._shared.pieces import Found, nearest, pieces, pieces_of_groups

logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # it logs, with a traceback, what it raises anyway
_AT_ONCE = 1000
_MOST_GROUPS = 10_000
_MOST_HITS = 16_384


class MilvusEngine:
    """The file, which is made if it is missing, and the program that has it."""

    failures: tuple[type[Exception], ...] = (MilvusException, OSError)
    most_dimensions = 32_768

    def __init__(self, path: Path, *, consistency_level: str) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = path
        self._consistency_level = consistency_level
        address = server_manager_instance.start_and_get_uri(str(path))
        if address is None:
            raise OSError(f"Milvus Lite did not start on {path}: another process may have it")
        self._client: Any = MilvusClient(address)

    def dimension(self, name: str) -> int | None:
        if not self._client.has_collection(name):
            return None
        fields = {field["name"]: field for field in self._client.describe_collection(name)["fields"]}
        return int(fields["vector"]["params"]["dim"])

    def create(self, name: str, dimension: int) -> None:
        schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("in_group", DataType.INT64)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dimension)
        index = self._client.prepare_index_params()
        index.add_index("vector", index_type="FLAT", metric_type="IP")
        self._client.create_collection(
            name, schema=schema, index_params=index, consistency_level=self._consistency_level
        )

    def drop(self, name: str) -> None:
        self._client.drop_collection(name)

    def put(self, name: str, numbers: Sequence[int], vectors: bytes, dimension: int) -> None:
        rows = np.frombuffer(vectors, "<f4").reshape(-1, dimension)
        for at in range(0, len(numbers), _AT_ONCE):
            given = zip(numbers[at : at + _AT_ONCE], rows[at : at + _AT_ONCE], strict=True)
            self._client.upsert(
                name, [{"id": number, "in_group": group_of(number), "vector": vector} for number, vector in given]
            )

    def remove(self, name: str, groups: Sequence[int]) -> None:
        for some in pieces(groups, _MOST_GROUPS):
            self._client.delete(name, filter=_within(some))

    def search(self, name: str, vector: bytes, limit: int, groups: Sequence[int] | None) -> Found:
        """Not more than 16,384, which it does not give."""
        asked, most = [np.frombuffer(vector, "<f4")], min(limit, _MOST_HITS)

        def search(groups: Sequence[int] | None) -> Found:
            where = "" if groups is None else _within(groups)
            [hits] = self._client.search(name, asked, limit=most, filter=where)
            return [hit["id"] for hit in hits], [hit["distance"] for hit in hits]

        return nearest([search(some) for some in pieces_of_groups(groups, _MOST_GROUPS)], most)

    def read(self, name: str, numbers: Sequence[int]) -> Mapping[int, bytes]:
        found: dict[int, bytes] = {}
        for some in pieces(numbers, _AT_ONCE):
            for row in self._client.get(name, list(some), output_fields=["vector"]):
                found[row["id"]] = np.array(row["vector"], "<f4").tobytes()
        return found

    def close(self) -> None:
        self._client.close()
        server_manager_instance.release_server(str(self._path))


def _within(groups: Sequence[int]) -> str:
    return f"in_group in {[*groups]}"
