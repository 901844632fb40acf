"""Infinispan's REST API as far as it is asked for.

https://infinispan.org/docs/stable/titles/rest/rest.html (read November 2026)
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from tests.conformance.vector_io.wire import KEY, Asked, Refused, Rows, expect, expect_members

USER = "a user"
_TYPE = r"llama_stack\.Vector(\d+)"
_NEAR = re.compile(rf"from {_TYPE} where vector <-> (\[[-0-9.,]+\])~(\d+)(?: filtering \(in_group in \(([0-9,]+)\)\))?")
_READ = re.compile(rf"from {_TYPE} where number in \(([0-9',]+)\)")
_DELETE = re.compile(rf"delete from {_TYPE} where in_group in \(([0-9,]+)\)")
_AGE = 50


class Infinispan:
    """Its challenge grows old after some requests; each must have a higher number than the one before."""

    def __init__(self) -> None:
        self._schemas: dict[str, int] = {}
        self._caches: dict[str, Rows] = {}
        self._nonce = self._count = 0

    def answer(self, asked: Asked) -> Any:
        self._check_user(asked)
        if found := re.fullmatch(r"/rest/v2/schemas/(\w+\.proto)", asked.path):
            return self._register(found[1], asked)
        found = re.fullmatch(r"/rest/v2/caches/([\w-]+)(?:/(\d+))?", asked.path)
        expect(found is not None, asked.path)
        name, key = found[1], found[2]  # type: ignore[index]  # expected above
        if (asked.method, key, dict(asked.query)) == ("POST", None, {}):
            return self._create(name, asked.json())
        if name not in self._caches:
            raise Refused(404, b"ISPN012010: Cache with name was not found")
        rows = self._caches[name]
        match asked.method, asked.query.get("action"):
            case "GET", "config":
                entities = {"indexed-entities": [f"llama_stack.Vector{rows.dimension}"]}
                return {name: {"distributed-cache": {"mode": "SYNC", "indexing": {"enabled": True, **entities}}}}
            case "DELETE", None:
                del self._caches[name]
                return None
            case "PUT", None:
                entry = asked.json()
                expect_members(entry, {"_type": str, "number": str, "in_group": int, "vector": list})
                expect(entry["_type"] == f"llama_stack.Vector{rows.dimension}", "the type")
                expect(entry["number"] == key, "the key")
                rows.put(int(key), entry["in_group"], entry["vector"])
                return None
            case "POST", "search":
                return self._search(rows, asked.json())
            case "POST", "deleteByQuery":
                body = asked.json()
                expect_members(body, {"query": str})
                found = _DELETE.fullmatch(body["query"])
                expect(found is not None, body["query"])
                return {"hit_count": rows.remove(_numbers(found[2])), "hits": []}  # type: ignore[index]  # expected
        raise Refused(405)

    def _register(self, name: str, asked: Asked) -> Any:
        expect(asked.method == "POST", "a new schema")
        text = asked.body.decode()
        message = re.search(r"package llama_stack;\n/\*\* @Indexed \*/\nmessage Vector(\d+) {", text)
        vector = re.search(
            r"/\*\* @Vector\(dimension=(\d+), similarity=COSINE\) \*/\n  repeated float vector = 3;", text
        )
        expect(message is not None and vector is not None and message[1] == vector[1], "the schema")
        if name in self._schemas:
            raise Refused(409, {"error": {"message": f"Schema {name} exists"}})
        self._schemas[name] = int(vector[1])  # type: ignore[index]  # expected above
        return {"name": name, "error": None}

    def _create(self, name: str, body: Any) -> Any:
        expect_members(body, {"distributed-cache": dict})
        cache = body["distributed-cache"]
        expect_members(cache, {"mode": str, "encoding": dict, "indexing": dict, "persistence": dict})
        [entity] = cache["indexing"]["indexed-entities"]
        found = re.fullmatch(_TYPE, entity)
        expect(found is not None and int(found[1]) in self._schemas.values(), "a type of a schema that is there")
        if name in self._caches:
            raise Refused(400, b"ISPN000507: Cache already exists")
        self._caches[name] = Rows(int(found[1]))  # type: ignore[index]  # expected above

    def _search(self, rows: Rows, body: Any) -> Any:
        expect_members(body, {"query": str, "max_results": int})
        if found := _READ.fullmatch(body["query"]):
            entries = rows.read([int(text.strip("'")) for text in found[2].split(",")])
        else:
            found = _NEAR.fullmatch(body["query"])
            expect(found is not None, body["query"][:200])
            assert found is not None
            groups = _numbers(found[4]) if found[4] else None
            entries = rows.read([number for number, _ in rows.search(json.loads(found[2]), int(found[3]), groups)])
        expect(int(found[1]) == rows.dimension, "the type")
        hits = [
            {"_type": f"llama_stack.Vector{rows.dimension}", "number": str(number), "in_group": group, "vector": row}
            for number, group, row in entries[: body["max_results"]]
        ]
        return {"hit_count": len(hits), "hit_count_exact": True, "hits": [{"hit": hit} for hit in hits]}

    def _check_user(self, asked: Asked) -> None:
        """As RFC 7616 has it."""
        given = dict(re.findall(r'(\w+)="?([^",]*)"?', asked.headers.get("authorization", "")))

        def digest(*parts: str) -> str:
            return hashlib.sha256(":".join(parts).encode()).hexdigest()

        uri = asked.path + ("?action=" + asked.query["action"] if asked.query else "")
        secret, what = digest(USER, "default", KEY), digest(asked.method, uri)
        right = digest(secret, f"nonce{self._nonce}", given.get("nc", ""), given.get("cnonce", ""), "auth", what)
        count = int(given.get("nc", "0"), 16)
        if given.get("response") != right or count <= self._count or count > _AGE or given.get("uri") != uri:
            self._nonce, self._count = self._nonce + 1, 0
            challenge = f'realm="default", nonce="nonce{self._nonce}", opaque="0", algorithm=SHA-256, qop="auth"'
            headers = {"www-authenticate": f'Digest realm="default", qop="x", nonce="1", Digest {challenge}'}
            raise Refused(401, None, headers=headers)
        self._count = count


def _numbers(text: str) -> set[int]:
    values = text.split(",")
    expect(len(values) <= 1024, "too many clauses")
    return {int(value) for value in values}
