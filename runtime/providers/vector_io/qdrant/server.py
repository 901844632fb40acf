"""A Qdrant server, by its REST API. https://api.qdrant.tech (read November 2026)"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runtime.apis.vector_io.protocol import group_of
from runtime.errors import UpstreamRejected
from runtime.http.auth import NamedHeader
from runtime.http.timeouts import Timeouts
from runtime.http.transport import json_request
from runtime.provider import ProviderContext
from runtime.providers.vector_io._shared.numbers import listed, packed, rows_of
from runtime.providers.vector_io._shared.pieces import Found, pieces
from runtime.providers.vector_io._shared.remote import RemoteVectors
from runtime.providers.vector_io.qdrant.config import QdrantServerConfig

_AT_ONCE = 1000
_MOST_HITS = 2**31 - 1
_GROUP = "group"


def remote_qdrant(config: QdrantServerConfig, context: ProviderContext) -> RemoteVectors:
    """Collections of a Qdrant server."""
    return RemoteVectors(context, QdrantServer(config, context))


class QdrantServer:
    """Its collections: a point's id is a vector's number, and its payload has the group."""

    most_dimensions = 65_536

    def __init__(self, config: QdrantServerConfig, context: ProviderContext) -> None:
        self.place = "the Qdrant server"
        address = config.address()
        self._collections = f"{address}/collections"
        self._http = context.http.with_auth(
            NamedHeader("api-key", context.keys), address=address, timeouts=Timeouts(read_s=config.timeout or 60.0)
        )

    async def dimension(self, name: str) -> int:
        found = await self._call("GET", f"/{name}")
        return int(found["config"]["params"]["vectors"]["size"])

    async def create(self, name: str, dimension: int) -> None:
        """Raises what `_call` raises."""
        try:
            await self._call("PUT", f"/{name}", {"vectors": {"size": dimension, "distance": "Dot"}})
        except UpstreamRejected as error:
            if error.status not in (400, 409):  # another one has made it meanwhile
                raise
            await self.dimension(name)
        await self._call("PUT", f"/{name}/index?wait=true", {"field_name": _GROUP, "field_schema": "integer"})

    async def drop(self, name: str) -> None:
        await self._call("DELETE", f"/{name}")

    async def put(self, name: str, numbers: Sequence[int], vectors: bytes, dimension: int) -> None:
        rows = [*rows_of(vectors, dimension)]
        for at in range(0, len(numbers), _AT_ONCE):
            some = numbers[at : at + _AT_ONCE]
            batch = {
                "ids": [*some],
                "vectors": rows[at : at + _AT_ONCE],
                "payloads": [{_GROUP: group_of(number)} for number in some],
            }
            await self._call("PUT", f"/{name}/points?wait=true", {"batch": batch})

    async def remove(self, name: str, groups: Sequence[int]) -> None:
        await self._call("POST", f"/{name}/points/delete?wait=true", {"filter": _within(groups)})

    async def search(self, name: str, vector: bytes, limit: int, groups: Sequence[int] | None) -> Found:
        query: dict[str, Any] = {"query": listed(vector), "limit": min(limit, _MOST_HITS), "with_payload": False}
        if groups is not None:
            query["filter"] = _within(groups)
        hits = (await self._call("POST", f"/{name}/points/query", query))["points"]
        return [hit["id"] for hit in hits], [hit["score"] for hit in hits]

    async def read(self, name: str, numbers: Sequence[int]) -> Mapping[int, bytes]:
        found: dict[int, bytes] = {}
        for some in pieces(numbers, _AT_ONCE):
            wanted = {"ids": [*some], "with_payload": False, "with_vector": True}
            for point in await self._call("POST", f"/{name}/points", wanted):
                found[point["id"]] = packed(point["vector"])
        return found

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """The result of a request."""
        return (await self._http.value(json_request(f"{self._collections}{path}", body, method=method)))["result"]


def _within(groups: Sequence[int]) -> dict[str, Any]:
    return {"must": [{"key": _GROUP, "match": {"any": [*groups]}}]}
