"""An Infinispan cluster, from version 15 on, by its REST API.

https://infinispan.org/docs/stable/titles/rest/rest.html (read November 2026)
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from operator import mul
from typing import Any

from runtime.apis.vector_io.protocol import group_of
from runtime.errors import UpstreamRejected
from runtime.http.auth import Auth, NoAuth
from runtime.http.timeouts import Timeouts
from runtime.http.transport import Outgoing, json_request
from runtime.provider import ProviderContext
from runtime.providers.vector_io._shared.errors import FLOAT_BYTES
from runtime.providers.vector_io._shared.numbers import listed, packed, rows_of
from runtime.providers.vector_io._shared.pieces import Found, nearest, pieces, pieces_of_groups
from runtime.providers.vector_io._shared.remote import Missing, RemoteVectors
from runtime.providers.vector_io.infinispan.auth import Basic, Digest
from runtime.providers.vector_io.infinispan.config import InfinispanConfig

_AT_ONCE = 16
_MOST_VALUES = 500
"""Of one `in`: a query of the index has 1024 clauses at most."""
_MOST_HITS = 10_000
_SCHEMA = """syntax = "proto2";
package llama_stack;
/** @Indexed */
message Vector{dimension} {{
  /** @Basic */
  optional string number = 1;
  /** @Basic */
  optional int64 in_group = 2;
  /** @Vector(dimension={dimension}, similarity=COSINE) */
  repeated float vector = 3;
}}
"""
"""The number is a text: a number of JSON may have 53 bits."""


def remote_infinispan(config: InfinispanConfig, context: ProviderContext) -> RemoteVectors:
    """Collections of an Infinispan cluster."""
    return RemoteVectors(context, InfinispanServer(config, context))


class InfinispanServer:
    """Its caches, whose keys are the vectors' numbers. What they hold is described by one schema for each dimension."""

    most_dimensions = 4096

    def __init__(self, config: InfinispanConfig, context: ProviderContext) -> None:
        self.place = "the Infinispan server"
        self._address = config.address()
        self._caches = f"{self._address}/rest/v2/caches"
        auth: Auth = NoAuth()
        if config.username:
            password = config.password.get_secret_value() if config.password else ""
            is_basic = config.auth_mechanism == "basic"
            auth = (
                Basic(config.username, password)
                if is_basic
                else Digest(config.username, password, http=context.http, address=self._address)
            )
        self._in_turn = asyncio.Semaphore(1 if isinstance(auth, Digest) else _AT_ONCE)
        self._http = context.http.with_auth(auth, address=self._address, timeouts=Timeouts(read_s=config.timeout_s))

    async def dimension(self, name: str) -> int:
        """Raises Missing."""
        headers = {"accept": "application/json"}
        url = f"{self._caches}/{_cache(name)}?action=config"
        content = await self._sent(Outgoing(method="GET", url=url, headers=headers))
        stated = re.search(rb"llama_stack\.Vector(\d+)", content)
        if stated is None:
            raise Missing(name)
        return int(stated[1])

    async def create(self, name: str, dimension: int) -> None:
        """Raises UpstreamRejected and what else the client raises."""
        schema = f"{self._address}/rest/v2/schemas/llama_stack_{dimension}.proto"
        try:
            body, headers = _SCHEMA.format(dimension=dimension).encode(), {"content-type": "text/plain"}
            async with self._in_turn:
                await self._http.value(Outgoing(method="POST", url=schema, headers=headers, body=body))
        except UpstreamRejected as error:
            if error.status != 409:  # it is there
                raise
        indexing = {
            "enabled": True,
            "storage": "filesystem",
            "startup-mode": "AUTO",
            "indexed-entities": [_type(dimension)],
        }
        cache = {
            "mode": "SYNC",
            "encoding": {"media-type": "application/x-protostream"},
            "indexing": indexing,
            "persistence": {"passivation": False, "file-store": {"shared": False, "purge": False}},
        }
        try:
            await self._sent(json_request(f"{self._caches}/{_cache(name)}", {"distributed-cache": cache}))
        except UpstreamRejected as error:
            if error.status not in (400, 409):  # another one has made it meanwhile
                raise
            await self.dimension(name)

    async def drop(self, name: str) -> None:
        await self._sent(Outgoing(method="DELETE", url=f"{self._caches}/{_cache(name)}"))

    async def put(self, name: str, numbers: Sequence[int], vectors: bytes, dimension: int) -> None:
        puts = [
            (number, {"_type": _type(dimension), "number": str(number), "in_group": group_of(number), "vector": vector})
            for number, vector in zip(numbers, rows_of(vectors, dimension), strict=True)
        ]
        for some in pieces(puts, _AT_ONCE):
            await _all(
                self._sent(json_request(f"{self._caches}/{_cache(name)}/{number}", entry, method="PUT"))
                for number, entry in some
            )

    async def remove(self, name: str, groups: Sequence[int]) -> None:
        dimension = await self.dimension(name)
        for some in pieces(groups, _MOST_VALUES):
            query = f"delete from {_type(dimension)} where in_group in ({_listing(some)})"  # noqa: S608  # ours
            await self._asked(name, "deleteByQuery", {"query": query})

    async def search(self, name: str, vector: bytes, limit: int, groups: Sequence[int] | None) -> Found:
        """Not more than 10,000. The entries that were found are compared here, since what the documentation says of
        scores is not what the index calculates.
        """
        asked, most, found = listed(vector), min(limit, _MOST_HITS), []
        near = f"[{','.join(f'{value:.9f}' for value in asked)}]~{most}"
        for some in pieces_of_groups(groups, _MOST_VALUES):
            query = f"from {_type(len(vector) // FLOAT_BYTES)} where vector <-> {near}"
            if some is not None:
                query += f" filtering (in_group in ({_listing(some)}))"
            entries = await self._entries(name, query, most)
            pairs = [(sum(map(mul, asked, entry["vector"])), int(entry["number"])) for entry in entries]
            pairs.sort(reverse=True)
            found.append(([number for _, number in pairs], [similarity for similarity, _ in pairs]))
        return nearest(found, most)

    async def read(self, name: str, numbers: Sequence[int]) -> Mapping[int, bytes]:
        kind, found = _type(await self.dimension(name)), {}
        for some in pieces(numbers, _MOST_VALUES):
            texts = ",".join(f"'{number}'" for number in some)
            for entry in await self._entries(name, f"from {kind} where number in ({texts})", len(some)):
                found[int(entry["number"])] = packed(entry["vector"])
        return found

    async def _entries(self, name: str, query: str, most: int) -> list[Any]:
        answer = await self._asked(name, "search", {"query": query, "max_results": most})
        return [hit["hit"] for hit in answer["hits"]]

    async def _asked(self, name: str, action: str, body: dict[str, Any]) -> Any:
        async with self._in_turn:
            return await self._http.value(json_request(f"{self._caches}/{_cache(name)}?action={action}", body))

    async def _sent(self, request: Outgoing) -> bytes:
        """The content of an answer, which may have none."""
        async with self._in_turn:
            exchange = await self._http.send(request)
            try:
                return await exchange.read()
            finally:
                await exchange.close()


async def _all(works: Iterable[Coroutine[Any, Any, object]]) -> None:
    """Raises the first failure, once all of them have ended."""
    for outcome in await asyncio.gather(*works, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


def _cache(name: str) -> str:
    """Of a collection."""
    return f"llama-stack-{name}"


def _type(dimension: int) -> str:
    return f"llama_stack.Vector{dimension}"


def _listing(groups: Sequence[int]) -> str:
    return ",".join(map(str, groups))
