"""Weaviate's REST API as far as it is asked for, and its searches by GraphQL and by gRPC over HTTP.

https://docs.weaviate.io/weaviate/api (read November 2026)
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from runtime.providers.vector_io.weaviate.grpc_web import framed, unframed
from runtime.providers.vector_io.weaviate.protobuf import field, fields
from tests.conformance.vector_io.wire import KEY, Asked, Refused, Rows, expect, expect_members

_NAME = r"[A-Z][_0-9A-Za-z]{0,254}"
_MOST = 10_000
_OBJECT = {"class": str, "id": str, "vector": list, "properties": dict}
_GRAPHQL = re.compile(
    rf"{{Get{{({_NAME})\(limit:(\d+)(?:,nearVector:{{vector:(\[[^]]*\])}})?"
    r'(?:,where:{path:\["(\w+)"\],operator:ContainsAny,(valueNumber|valueText):(\[[^]]*\])})?\)'
    r"{_additional{([a-z ]+)}}}}"
)


class Failed(Exception):
    """In an answer with status 200."""


class Weaviate:
    """version: decides how it can be searched; only one way is allowed, to see that it is taken."""

    content_type = "application/grpc-web+proto"

    def __init__(self, version: str) -> None:
        self._version = version
        self._has_grpc = tuple(map(int, version.split("."))) >= (1, 38, 3)
        self._rows: dict[str, Rows] = {}
        self._schema: dict[str, Any] = {}

    def answer(self, asked: Asked) -> Any:
        if asked.headers.get("authorization") != f"Bearer {KEY}":
            raise Refused(401, {"code": 401, "message": "anonymous access not enabled"})
        if found := re.fullmatch(rf"/v1/schema/({_NAME})", asked.path):
            if found[1] not in self._schema:
                raise Refused(404)
            if asked.method == "DELETE":
                del self._schema[found[1]], self._rows[found[1]]
                return None
            return self._schema[found[1]]
        match asked.method, asked.path:
            case "GET", "/v1/meta":
                return {"hostname": "http://[::]:8080", "modules": {}, "version": self._version}
            case "POST", "/v1/schema":
                return self._create(asked.json())
            case "POST", "/v1/batch/objects":
                return self._batch(asked.json())
            case "DELETE", "/v1/batch/objects":
                return self._delete(asked.json())
            case "POST", "/v1/graphql" if not self._has_grpc:
                return self._graphql(asked.json())
            case "POST", "/v1/grpc-web/weaviate.v1.Weaviate/Search" if self._has_grpc:
                return self._grpc(asked)
        raise Refused(404, {"code": 404, "message": f"path {asked.path} was not found"})

    def _create(self, body: Any) -> Any:
        kinds = {"class": str, "description": str, "vectorizer": str, "vectorIndexType": str}
        expect_members(body, {**kinds, "vectorIndexConfig": dict, "properties": list})
        expect(body["vectorizer"] == "none" and body["vectorIndexConfig"] == {"distance": "cosine"}, "the index")
        expect(re.fullmatch(_NAME, body["class"]) is not None, "the name")
        if body["class"] in self._schema:
            raise Refused(422, {"error": [{"message": f"class name {body['class']} already exists"}]})
        self._schema[body["class"]] = body
        self._rows[body["class"]] = Rows(int(body["description"].rpartition(" ")[2]))
        return body

    def _batch(self, body: Any) -> Any:
        expect_members(body, {"objects": list})
        for made in body["objects"]:
            expect_members(made, _OBJECT)
            expect_members(made["properties"], {"in_group": float})
            expect(made["class"] in self._rows, "an object without a collection makes one")
            self._rows[made["class"]].put(_number(made["id"]), int(made["properties"]["in_group"]), made["vector"])
        return [{**made, "result": {"status": "SUCCESS"}} for made in body["objects"]]

    def _delete(self, body: Any) -> Any:
        expect_members(body, {"match": dict, "output": str})
        where = body["match"]["where"]
        expect_members(where, {"path": list, "operator": str, "valueNumberArray": list})
        expect(where["path"] == ["in_group"] and where["operator"] == "ContainsAny", "the filter")
        removed = self._rows[body["match"]["class"]].remove({int(value) for value in where["valueNumberArray"]})
        return {"match": body["match"], "results": {"matches": removed, "successful": removed, "failed": 0}}

    def _graphql(self, body: Any) -> Any:
        expect_members(body, {"query": str})
        found = _GRAPHQL.fullmatch(body["query"])
        expect(found is not None, body["query"][:200])
        assert found is not None
        name, limit, near, path, kind, values, wanted = found.groups()
        expect((path, kind) in {(None, None), ("in_group", "valueNumber"), ("id", "valueText")}, "the filter")
        given = json.loads(values or "[]")
        try:
            hits = self._hits(
                name,
                int(limit),
                near=json.loads(near) if near else None,
                groups={int(one) for one in given} if path == "in_group" else None,
                ids=given if path == "id" else None,
            )
        except Failed as error:
            return {"data": None, "errors": [{"message": str(error)}]}
        expect("distance" not in wanted or near is not None, "a distance is of a search")
        return {"data": {"Get": {name: [{"_additional": {key: hit[key] for key in wanted.split()}} for hit in hits]}}}

    def _grpc(self, asked: Asked) -> bytes:
        expect(asked.headers["content-type"] == "application/grpc-web+proto", "the content type")
        message, _ = unframed(asked.body)
        request = dict(fields(message))
        expect(set(request) <= {1, 20, 21, 30, 40, 43, 100, 101, 102}, f"the fields {sorted(request)}")
        metadata, filters, near = dict(fields(_bytes(request[21]))), {}, None
        if 40 in request:
            filters = dict(fields(_bytes(request[40])))
            expect(filters[1] == 12, "contains any")
        target = dict(fields(_bytes(filters[20])))[1] if filters else b""
        if 43 in request:
            vector = dict(fields(_bytes(dict(fields(_bytes(request[43])))[9])))
            expect(vector[4] == 1, "one float32 vector")
            near = [*struct.unpack(f"<{len(_bytes(vector[3])) // 4}f", _bytes(vector[3]))]
        groups, ids = None, None
        if target == b"in_group":
            packed = _bytes(dict(fields(_bytes(filters[12])))[1])
            groups = {int(value) for value in struct.unpack(f"<{len(packed) // 8}d", packed)}
        if target == b"_id":
            ids = [_bytes(value).decode() for _, value in fields(_bytes(filters[9]))]
        try:
            hits = self._hits(_bytes(request[1]).decode(), request[30], near=near, groups=groups, ids=ids)
        except Failed as error:
            trailer = f"grpc-status: 2\r\ngrpc-message: {error}\r\n".encode()
            return struct.pack(">BI", 0x80, len(trailer)) + trailer
        reply = b"".join(field(2, field(2, _metadata(hit, has_vector=2 in metadata))) for hit in hits)
        trailer = b"grpc-status: 0\r\n"
        return framed(reply) + struct.pack(">BI", 0x80, len(trailer)) + trailer

    def _hits(self, name: str, limit: Any, *, near: Any, groups: set[int] | None, ids: Any) -> list[dict[str, Any]]:
        """Raises Failed, as a search does."""
        if name not in self._rows:
            raise Failed(f"could not find class {name} in schema")
        if limit > _MOST:
            raise Failed("query maximum results exceeded")
        rows = self._rows[name]
        if near is None:
            found = rows.read([_number(one) for one in ids])
            return [{"id": _id(number), "vector": row} for number, _, row in found[:limit]]
        return [{"id": _id(number), "distance": 1 - cosine} for number, cosine in rows.search(near, limit, groups)]


def _metadata(hit: dict[str, Any], *, has_vector: bool) -> bytes:
    content = field(1, hit["id"])
    if has_vector:
        content += field(19, struct.pack(f"<{len(hit['vector'])}f", *hit["vector"]))
    if "distance" in hit:
        content += bytes([7 << 3 | 5]) + struct.pack("<f", hit["distance"]) + field(8, 1)
    return content


def _bytes(value: bytes | int | Sequence[Any]) -> bytes:
    expect(isinstance(value, bytes), "a message")
    assert isinstance(value, bytes)
    return value


_OURS = UUID("6c6c616d-6173-8000-0000-000000000000").int


def _number(own_id: str) -> int:
    return UUID(own_id).int - _OURS


def _id(number: int) -> str:
    return str(UUID(int=_OURS + number))
