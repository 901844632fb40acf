"""A Weaviate cluster, from version 1.27 on: objects by its REST API, searches by what its version has.

https://docs.weaviate.io/weaviate/api/rest (read November 2026)
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from runtime.apis.vector_io.protocol import group_of
from runtime.errors import UpstreamError, UpstreamRejected
from runtime.http.auth import Bearer
from runtime.http.timeouts import Timeouts
from runtime.http.transport import Outgoing, json_request
from runtime.provider import ProviderContext
from runtime.providers.vector_io._shared.numbers import rows_of
from runtime.providers.vector_io._shared.pieces import Found, nearest, pieces, pieces_of_groups
from runtime.providers.vector_io._shared.remote import Missing, RemoteVectors
from runtime.providers.vector_io.weaviate.config import WeaviateConfig
from runtime.providers.vector_io.weaviate.graphql import GraphQl
from runtime.providers.vector_io.weaviate.grpc_web import GrpcWeb
from runtime.providers.vector_io.weaviate.searching import GROUP, Hit, Query, Searches, SearchFailed, id_of

_AT_ONCE = 500
_MOST_GROUPS = 10_000
_MOST_HITS = 10_000
"""Of a search and of a removal: `QUERY_MAXIMUM_RESULTS`."""
_GRPC_WEB_FROM = (1, 38, 3)
_DESCRIPTION = "Vectors of a Llama Stack, dimension "
"""With the dimension behind it, which a collection of Weaviate's does not state otherwise."""


def remote_weaviate(config: WeaviateConfig, context: ProviderContext) -> RemoteVectors:
    """Collections of a Weaviate cluster."""
    return RemoteVectors(context, WeaviateServer(config, context))


class WeaviateServer:
    """Its collections. An object's id has a vector's number, and its only property is the group: a `number`, since
    GraphQL's `int` has 32 bits.
    """

    most_dimensions = 65_535

    def __init__(self, config: WeaviateConfig, context: ProviderContext) -> None:
        self.place = "the Weaviate cluster"
        self._provider_id = context.provider_id
        self._address = config.weaviate_cluster_url.removesuffix("/v1")
        self._http = context.http.with_auth(
            Bearer(context.keys), address=self._address, timeouts=Timeouts(read_s=config.timeout_s)
        )
        self._searches: Searches | None = None

    async def dimension(self, name: str) -> int:
        """Raises Missing also for a collection that is not ours: a cluster makes one for an object that names none."""
        found = await self._call("GET", f"schema/{_collection(name)}")
        stated = re.fullmatch(rf"{_DESCRIPTION}(\d+)", str(found.get("description", "")))
        if stated is None:
            raise Missing(name)
        return int(stated[1])

    async def create(self, name: str, dimension: int) -> None:
        """Raises what `_call` raises."""
        made = {
            "class": _collection(name),
            "description": f"{_DESCRIPTION}{dimension}",
            "vectorizer": "none",
            "vectorIndexType": "hnsw",
            "vectorIndexConfig": {"distance": "cosine"},
            "properties": [{"name": GROUP, "dataType": ["number"], "indexFilterable": True}],
        }
        try:
            await self._call("POST", "schema", made)
        except UpstreamRejected as error:
            if error.status != 422:
                raise
            try:
                await self.dimension(name)  # another one has made it meanwhile
            except Missing:
                await self._delete(name)
                await self._call("POST", "schema", made)

    async def drop(self, name: str) -> None:
        await self.dimension(name)
        await self._delete(name)

    async def put(self, name: str, numbers: Sequence[int], vectors: bytes, dimension: int) -> None:
        """Raises Missing, and UpstreamError with the first refusal of an object."""
        await self.dimension(name)
        objects = [
            {
                "class": _collection(name),
                "id": id_of(number),
                "vector": vector,
                "properties": {GROUP: float(group_of(number))},
            }
            for number, vector in zip(numbers, rows_of(vectors, dimension), strict=True)
        ]
        for some in pieces(objects, _AT_ONCE):
            for made in await self._call("POST", "batch/objects", {"objects": some}):
                errors = (made.get("result") or {}).get("errors")
                if errors:
                    raise self._failed(errors["error"][0]["message"])

    async def remove(self, name: str, groups: Sequence[int]) -> None:
        """Raises Missing, and UpstreamError for what could not be removed."""
        await self.dimension(name)
        for some in pieces(groups, _MOST_GROUPS):
            where = {"path": [GROUP], "operator": "ContainsAny", "valueNumberArray": [float(group) for group in some]}
            body = {"match": {"class": _collection(name), "where": where}, "output": "minimal"}
            is_done = False
            while not is_done:
                found = (await self._call("DELETE", "batch/objects", body))["results"]
                is_done = found["matches"] <= found["successful"]
                if found["failed"] or not (is_done or found["successful"]):
                    raise self._failed(f"removed {found['successful']} of {found['matches']} objects")

    async def search(self, name: str, vector: bytes, limit: int, groups: Sequence[int] | None) -> Found:
        """Not more than 10,000, which it does not give."""
        most, found = min(limit, _MOST_HITS), []
        for some in pieces_of_groups(groups, _MOST_GROUPS):
            hits = await self._hits(name, Query(limit=most, near=vector, groups=some))
            found.append(([hit.number for hit in hits], [1 - hit.distance for hit in hits]))
        return nearest(found, most)

    async def read(self, name: str, numbers: Sequence[int]) -> Mapping[int, bytes]:
        found: dict[int, bytes] = {}
        for some in pieces(numbers, _AT_ONCE):
            hits = await self._hits(name, Query(limit=len(some), numbers=some, has_vectors=True))
            found |= {hit.number: hit.vector for hit in hits}
        return found

    async def _hits(self, name: str, query: Query) -> list[Hit]:
        """Raises Missing, and what the client raises."""
        if self._searches is None:
            parts = re.findall(r"\d+", str((await self._call("GET", "meta"))["version"]))
            kind = GrpcWeb if tuple(int(part) for part in parts[:3]) >= _GRPC_WEB_FROM else GraphQl
            self._searches = kind(self._http, self._address)
        try:
            return await self._searches.hits(_collection(name), query)
        except UpstreamRejected:
            await self.dimension(name)
            raise
        except SearchFailed as error:
            await self.dimension(name)
            raise self._failed(str(error)) from error

    async def _delete(self, name: str) -> None:
        url = f"{self._address}/v1/schema/{_collection(name)}"
        await (await self._http.send(Outgoing(method="DELETE", url=url))).close()

    def _failed(self, words: str) -> UpstreamError:
        return UpstreamError(f"`{self._provider_id}` answered: {words}", provider_id=self._provider_id)

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """The JSON of an answer."""
        return await self._http.value(json_request(f"{self._address}/v1/{path}", body, method=method))


def _collection(name: str) -> str:
    """The name at Weaviate, where it begins with a capital."""
    return f"LlamaStack_{name}"
