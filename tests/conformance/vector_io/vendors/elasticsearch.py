"""Elasticsearch's REST API as far as it is asked for. https://www.elastic.co/docs/api/doc/elasticsearch (read November
2026)
"""

from __future__ import annotations

import json
import re
from typing import Any

from tests.conformance.vector_io.wire import KEY, Asked, Refused, Rows, expect, expect_members

_MOST = 10_000
_MOST_TERMS = 65_536
_VECTOR = {"type": str, "dims": int, "similarity": str, "index_options": dict}


class Elasticsearch:
    """Documents are found once the index was refreshed after them."""

    def __init__(self) -> None:
        self._indices: dict[str, Rows] = {}
        self._waiting: dict[str, list[tuple[int, int, list[float]]]] = {}
        self._aliases: dict[str, str] = {}

    def answer(self, asked: Asked) -> Any:
        if asked.headers.get("authorization") != f"ApiKey {KEY}":
            raise _error(401, "security_exception", "unable to authenticate")
        found = re.fullmatch(r"/([a-z0-9][a-z0-9_.-]*)(/_\w+)?", asked.path)
        expect(found is not None, asked.path)
        name, rest = found[1], found[2]  # type: ignore[index]  # expected above
        if (asked.method, rest) == ("PUT", None):
            return self._create(name, asked.json())
        if (asked.method, rest) == ("POST", "/_bulk"):
            return self._bulk(name, asked)
        index = self._aliases.get(name, name)
        if index not in self._indices:
            raise _error(404, "index_not_found_exception", f"no such index [{name}]")
        match asked.method, rest:
            case "GET", "/_mapping":
                return {index: {"mappings": {"properties": {"vector": {"dims": self._indices[index].dimension}}}}}
            case "DELETE", None:
                expect(name == index, "an alias cannot be deleted so")
                del self._indices[index]
                self._waiting.pop(index, None)
                self._aliases = {alias: of for alias, of in self._aliases.items() if of != index}
                return {"acknowledged": True}
            case "POST", "/_refresh":
                for row in self._waiting.pop(index, ()):
                    self._indices[index].put(*row)
                return {"_shards": {"total": 1, "successful": 1, "failed": 0}}
            case "POST", "/_delete_by_query":
                expect(asked.query == {"refresh": "true"}, "the removal is seen by the next search")
                body = asked.json()
                expect_members(body, {"query": dict})
                return {"deleted": self._indices[index].remove(_groups(body["query"])), "failures": []}
            case "POST", "/_search":
                return {"hits": {"hits": self._search(self._indices[index], asked.json())}}
        raise _error(405, "method_not_allowed", asked.path)

    def _create(self, name: str, body: Any) -> Any:
        expect_members(body, {"aliases": dict, "mappings": dict})
        properties = body["mappings"]["properties"]
        expect(properties["group"] == {"type": "long"}, "the group")
        expect_members(properties["vector"], _VECTOR)
        expect(properties["vector"]["type"] == "dense_vector", "the type")
        expect(properties["vector"]["similarity"] == "cosine", "of which scores are (1 + cosine) / 2")
        expect(1 <= properties["vector"]["dims"] <= 4096, "the dimensions")
        if name in self._indices:
            raise _error(400, "resource_already_exists_exception", f"index [{name}] already exists")
        self._indices[name] = Rows(properties["vector"]["dims"])
        self._aliases |= dict.fromkeys(body["aliases"], name)
        return {"acknowledged": True, "index": name}

    def _bulk(self, name: str, asked: Asked) -> Any:
        expect(asked.headers["content-type"] == "application/x-ndjson" and asked.body.endswith(b"\n"), "NDJSON")
        expect(asked.query.get("require_alias") == "true", "otherwise an index would be made")
        lines = [json.loads(line) for line in asked.body.splitlines()]
        if name not in self._aliases:
            error = {"type": "index_not_found_exception", "reason": f"no such index [{name}] and [require_alias]"}
            return {"errors": True, "items": [{"index": {"status": 404, "error": error}} for _ in lines[::2]]}
        waiting = self._waiting.setdefault(self._aliases[name], [])
        for action, document in zip(lines[::2], lines[1::2], strict=True):
            expect_members(action, {"index": dict})
            expect_members(document, {"group": int, "vector": list})
            waiting.append((int(action["index"]["_id"]), document["group"], document["vector"]))
        return {"errors": False, "items": [{"index": {"status": 201}} for _ in lines[::2]]}

    def _search(self, rows: Rows, body: Any) -> list[Any]:
        shape = {"knn": dict, "query": dict, "size": int, "fields": list, "_source": bool}
        expect_members(body, shape, optional=("knn", "query", "fields"))
        expect(body["size"] <= _MOST, "Result window is too large")
        if "query" in body:
            expect(body["fields"] == ["vector"], "the fields")
            wanted = [int(each) for each in body["query"]["ids"]["values"]]
            return [{"_id": str(number), "fields": {"vector": row}} for number, _, row in rows.read(wanted)]
        knn = body["knn"]
        shape = {"field": str, "query_vector": list, "k": int, "num_candidates": int, "filter": dict}
        expect_members(knn, shape, optional=("filter",))
        expect(knn["k"] <= knn["num_candidates"] <= _MOST, "k, at most num_candidates, at most 10000")
        groups = _groups(knn["filter"]) if "filter" in knn else None
        found = rows.search(knn["query_vector"], min(knn["k"], body["size"]), groups)
        return [{"_id": str(number), "_score": (1 + cosine) / 2} for number, cosine in found]


def _groups(query: Any) -> set[int]:
    expect_members(query, {"terms": dict})
    terms = query["terms"]["group"]
    expect(len(terms) <= _MOST_TERMS, "too many terms")
    return {*terms}


def _error(status: int, kind: str, reason: str) -> Refused:
    cause = {"type": kind, "reason": reason}
    return Refused(status, {"error": {"root_cause": [cause], **cause}, "status": status})
