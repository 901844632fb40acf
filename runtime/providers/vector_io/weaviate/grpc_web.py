"""Searches of a Weaviate from version 1.38.3 on, by its gRPC API over HTTP: GraphQL is deprecated, and new clusters of
Weaviate Cloud do not have it.

Messages: https://github.com/weaviate/weaviate/tree/main/grpc/proto/v1; frames:
https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md (read November 2026)
"""

from __future__ import annotations

import struct
from urllib.parse import unquote

from runtime.http.client import HttpClient
from runtime.http.transport import Outgoing
from runtime.providers.vector_io.weaviate.protobuf import field, fields
from runtime.providers.vector_io.weaviate.searching import GROUP, Hit, Query, SearchFailed, id_of, number_of

_CONTAINS_ANY = 12
_SINGLE_FP32 = 1
_TRAILER = 0x80
_TYPE = "application/grpc-web+proto"


class GrpcWeb:
    def __init__(self, http: HttpClient, address: str) -> None:
        self._http, self._url = http, f"{address}/v1/grpc-web/weaviate.v1.Weaviate/Search"

    async def hits(self, collection: str, query: Query) -> list[Hit]:
        """Raises SearchFailed and what the client raises."""
        headers = {
            "content-type": "application/grpc-web+proto",
            "accept": "application/grpc-web+proto",
            "x-grpc-web": "1",
        }
        body = framed(request_of(collection, query))
        exchange = await self._http.send(Outgoing(method="POST", url=self._url, headers=headers, body=body))
        try:
            content = await exchange.read()
        finally:
            await exchange.close()
        try:
            message, trailers = unframed(content)
            _check({name.lower(): value for name, value in exchange.headers.items()} | trailers)
            return hits_of(message)
        except ValueError as error:
            raise SearchFailed(f"no answer of a search: {error}") from error


def request_of(collection: str, query: Query) -> bytes:
    """A `SearchRequest`."""
    wanted = field(1, 1) + (field(2, 1) if query.has_vectors else b"")
    if query.near is not None:
        wanted += field(5, 1)
    parts = [field(1, collection), field(20, b""), field(21, wanted), field(30, query.limit)]
    if query.groups is not None:
        groups = struct.pack(f"<{len(query.groups)}d", *query.groups)
        parts.append(field(40, _contains_any(GROUP, 12, field(1, groups))))
    if query.numbers is not None:
        ids = b"".join(field(1, id_of(number)) for number in query.numbers)
        parts.append(field(40, _contains_any("_id", 9, ids)))
    if query.near is not None:
        parts.append(field(43, field(9, field(3, query.near) + field(4, _SINGLE_FP32))))
    return b"".join([*parts, *(field(number, 1) for number in (100, 101, 102))])


def hits_of(reply: bytes) -> list[Hit]:
    """Of a `SearchReply`. Raises ValueError for what is none."""
    return [_hit(result) for number, result in fields(reply) if number == 2 and isinstance(result, bytes)]


def framed(message: bytes) -> bytes:
    return struct.pack(">BI", 0, len(message)) + message


def unframed(content: bytes) -> tuple[bytes, dict[str, str]]:
    """The message and the trailers of an answer. Raises ValueError for what has no frames."""
    message, trailers, at = b"", dict[str, str](), 0
    while at < len(content):
        if at + 5 > len(content):
            raise ValueError("a frame that is cut off")
        flags, size = struct.unpack_from(">BI", content, at)
        part = content[at + 5 : at + 5 + size]
        if len(part) < size:
            raise ValueError("a frame that is cut off")
        at += 5 + size
        if flags & _TRAILER:
            lines = (line.partition(":") for line in part.decode().splitlines())
            trailers.update({name.strip().lower(): value.strip() for name, _, value in lines})
        else:
            message += part
    return message, trailers


def _contains_any(property_name: str, number: int, values: bytes) -> bytes:
    """A `Filters` message. number: of the field that has the array."""
    return field(1, _CONTAINS_ANY) + field(number, values) + field(20, field(1, property_name))


def _check(trailers: dict[str, str]) -> None:
    """Raises SearchFailed unless it went well."""
    if trailers.get("grpc-status") != "0":
        raise SearchFailed(unquote(trailers.get("grpc-message") or "an answer without a status"))


def _hit(result: bytes) -> Hit:
    """Of a `SearchResult`. Raises ValueError."""
    metadata = next((value for number, value in fields(result) if number == 2), b"")
    number, distance, vector = -1, 0.0, b""
    for place, value in fields(metadata if isinstance(metadata, bytes) else b""):
        if not isinstance(value, bytes):
            continue
        if place == 1:
            number = number_of(value.decode())
        elif place == 7 and len(value) == 4:
            [distance] = struct.unpack("<f", value)
        elif place == 19:
            vector = value
        elif place == 23 and not vector:
            vector = next((part for at, part in fields(value) if at == 3 and isinstance(part, bytes)), b"")
    if number < 0:
        raise ValueError("an object without an id")
    return Hit(number=number, distance=distance, vector=vector)
