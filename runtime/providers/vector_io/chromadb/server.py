"""A Chroma server, by its API of version 2. https://docs.trychroma.com/reference (read November 2026)"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runtime.errors import UpstreamError, UpstreamRejected
from runtime.http.auth import NamedHeader
from runtime.http.timeouts import Timeouts
from runtime.http.transport import json_request
from runtime.provider import ProviderContext
from runtime.providers.vector_io._shared.numbers import listed, packed, rows_of
from runtime.providers.vector_io._shared.pieces import Found, nearest, pieces, pieces_of_groups
from runtime.providers.vector_io._shared.remote import Missing, RemoteVectors
from runtime.providers.vector_io.chromadb import layout
from runtime.providers.vector_io.chromadb.config import ChromaServerConfig

_AT_ONCE = 1000


def remote_chroma(config: ChromaServerConfig, context: ProviderContext) -> RemoteVectors:
    """Collections of a Chroma server."""
    return RemoteVectors(context, ChromaServer(config, context))


class ChromaServer:
    """Its collections. They are asked for by ids, which the server gives; `_ids` remembers those."""

    most_dimensions = 2**31 - 1

    def __init__(self, config: ChromaServerConfig, context: ProviderContext) -> None:
        self.place = "the Chroma server"
        address = config.url.rstrip("/").removesuffix("/api/v2")
        self._collections = f"{address}/api/v2/tenants/{config.tenant}/databases/{config.database}/collections"
        self._http = context.http.with_auth(
            NamedHeader("x-chroma-token", context.keys), address=address, timeouts=Timeouts(read_s=config.timeout_s)
        )
        self._ids: dict[str, str] = {}

    async def dimension(self, name: str) -> int:
        found = await self._call("GET", layout.stored_name(name))
        self._ids[name] = found["id"]
        return int(found["metadata"]["dimension"])

    async def create(self, name: str, dimension: int) -> None:
        made = {
            "name": layout.stored_name(name),
            "metadata": {"dimension": dimension},
            "configuration": layout.CONFIGURATION,
        }
        await self._call("POST", "", made | {"get_or_create": True})

    async def drop(self, name: str) -> None:
        self._ids.pop(name, None)
        await self._call("DELETE", layout.stored_name(name))

    async def put(self, name: str, numbers: Sequence[int], vectors: bytes, dimension: int) -> None:
        rows = [*rows_of(vectors, dimension)]
        for at in range(0, len(numbers), _AT_ONCE):
            some = numbers[at : at + _AT_ONCE]
            new = {
                "ids": [str(number) for number in some],
                "embeddings": rows[at : at + _AT_ONCE],
                "metadatas": [layout.metadata_of(number) for number in some],
            }
            await self._ask(name, "upsert", new)

    async def remove(self, name: str, groups: Sequence[int]) -> None:
        for some in pieces(groups, layout.MOST_VALUES):
            await self._ask(name, "delete", {"where": layout.within(some)})

    async def search(self, name: str, vector: bytes, limit: int, groups: Sequence[int] | None) -> Found:
        query = {
            "query_embeddings": [listed(vector)],
            "n_results": min(limit, layout.MOST_HITS),
            "include": ["distances"],
        }
        found = []
        for some in pieces_of_groups(groups, layout.MOST_VALUES):
            answer = await self._ask(name, "query", query if some is None else query | {"where": layout.within(some)})
            far = answer["distances"][0]
            found.append(([int(number) for number in answer["ids"][0]], [1.0 - one for one in far]))
        return nearest(found, limit)

    async def read(self, name: str, numbers: Sequence[int]) -> Mapping[int, bytes]:
        found: dict[int, bytes] = {}
        for some in pieces(numbers, _AT_ONCE):
            wanted = {"ids": [str(number) for number in some], "include": ["embeddings"]}
            answer = await self._ask(name, "get", wanted)
            for number, vector in zip(answer["ids"], answer["embeddings"], strict=True):
                found[int(number)] = packed(vector)
        return found

    async def _ask(self, name: str, verb: str, body: dict[str, Any]) -> Any:
        """Something about a collection; once more if another one has its name now. Raises Missing."""
        known = self._ids.get(name)
        if known is None:
            await self.dimension(name)
            known = self._ids[name]
        try:
            return await self._call("POST", f"{known}/{verb}", body)
        except Missing:
            self._ids.pop(name, None)
            await self.dimension(name)
            if self._ids[name] == known:
                raise
            return await self._call("POST", f"{self._ids[name]}/{verb}", body)
        except UpstreamError as error:
            if error.upstream_status is not None:
                await self.dimension(name)  # what is dropped meanwhile can be a failure within the server
            raise

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Raises Missing for a 404."""
        url = f"{self._collections}/{path}" if path else self._collections
        try:
            return await self._http.value(json_request(url, body, method=method))
        except UpstreamRejected as error:
            if error.status == 404:
                raise Missing(path) from error
            raise
