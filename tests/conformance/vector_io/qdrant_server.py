"""Qdrant's REST API as far as it is asked for, over Qdrant's own engine: there is no package with the server.

A request that the documentation does not have, or has otherwise, is a 400 with what was wrong; so is one without the
key. https://api.qdrant.tech (read November 2026)
"""

from __future__ import annotations

import json
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import qdrant_edge as qdrant

from tests.support.small_server import SmallHandler, running, url_of

KEY = "the key of a test"
_SHAPES: dict[tuple[str, str], dict[str, Any]] = {
    ("PUT", ""): {"vectors": dict},
    ("PUT", "/index"): {"field_name": str, "field_schema": str},
    ("PUT", "/points"): {"batch": dict},
    ("POST", "/points/delete"): {"filter": dict},
    ("POST", "/points/query"): {"query": list, "limit": int, "with_payload": bool, "filter": dict},
    ("POST", "/points"): {"ids": list, "with_payload": bool, "with_vector": bool},
}
_OPTIONAL = {"filter"}


class Refused(Exception):
    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


class QdrantHandler(SmallHandler):
    protocol_version = "HTTP/1.1"

    @property
    def shards(self) -> dict[str, Any]:
        return self.server.shards  # type: ignore[attr-defined,no-any-return]  # of the server below

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        try:
            if self.headers.get("api-key") != KEY:
                raise Refused(401, "Must provide an API key or an Authorization bearer token")
            result = self._result(json.loads(body) if body else None)
            self.document({"result": result, "status": "ok", "time": 0.001})
        except Refused as error:
            self.document({"status": {"error": str(error)}, "time": 0.001}, status=error.status)

    do_GET = do_PUT = do_POST = do_DELETE = _answer  # http.server's names

    def _result(self, body: Any) -> Any:
        address = urlsplit(self.path)
        found = re.fullmatch(r"/collections/([\w-]+)(/.*)?", address.path)
        if found is None:
            raise Refused(404, "")
        name, rest = found[1], found[2] or ""
        if body is not None:
            _check(body, _SHAPES.get((self.command, rest)), f"{self.command} {rest}")
        if rest and self.command == "PUT" and address.query != "wait=true":
            raise Refused(400, "the test waits for each change")
        if (self.command, rest) == ("PUT", ""):
            return self._create(name, body["vectors"])
        shard = self.shards.get(name)
        if shard is None:
            raise Refused(404, f"Not found: Collection `{name}` doesn't exist!")
        if (self.command, rest) == ("GET", ""):
            return {"status": "green", "config": {"params": {"vectors": {"size": shard.size, "distance": "Dot"}}}}
        if (self.command, rest) == ("DELETE", ""):
            self.shards.pop(name).close()
            return True
        return shard.answers[self.command, rest](body)

    def _create(self, name: str, vectors: dict[str, Any]) -> bool:
        _check(vectors, {"size": int, "distance": str}, "vectors")
        with self.server.making:  # type: ignore[attr-defined]  # of the server below
            if name in self.shards:
                raise Refused(409, f"Wrong input: Collection `{name}` already exists!")
            self.shards[name] = Shard(self.server.folder / name, vectors)  # type: ignore[attr-defined]
        return True


class Shard:
    """A collection."""

    def __init__(self, folder: Path, vectors: dict[str, Any]) -> None:
        self.size, self._folder = vectors["size"], folder
        folder.mkdir()
        distance = getattr(qdrant.Distance, vectors["distance"])
        config = qdrant.EdgeConfig(vectors=qdrant.EdgeVectorParams(size=self.size, distance=distance))
        self._shard = qdrant.EdgeShard.create(str(folder), config)
        self.answers = {
            ("PUT", "/index"): self._index,
            ("PUT", "/points"): self._upsert,
            ("POST", "/points/delete"): self._delete,
            ("POST", "/points/query"): self._query,
            ("POST", "/points"): self._retrieve,
        }

    def close(self) -> None:
        self._shard.close()
        shutil.rmtree(self._folder)

    def _index(self, body: Any) -> Any:
        kind = getattr(qdrant.PayloadSchemaType, body["field_schema"].capitalize())
        return self._updated(qdrant.UpdateOperation.create_field_index(body["field_name"], kind))

    def _upsert(self, body: Any) -> Any:
        batch = body["batch"]
        _check(batch, {"ids": list, "vectors": list, "payloads": list}, "batch")
        rows = zip(batch["ids"], batch["vectors"], batch["payloads"], strict=True)
        return self._updated(qdrant.UpdateOperation.upsert_points([qdrant.Point(*row) for row in rows]))

    def _delete(self, body: Any) -> Any:
        return self._updated(qdrant.UpdateOperation.delete_points_by_filter(_filter(body["filter"])))

    def _query(self, body: Any) -> Any:
        within = _filter(body["filter"]) if "filter" in body else None
        query = qdrant.Query.Nearest(body["query"])
        hits = self._shard.search(qdrant.SearchRequest(query, body["limit"], filter=within))
        return {"points": [{"id": hit.id, "version": hit.version, "score": hit.score} for hit in hits]}

    def _retrieve(self, body: Any) -> Any:
        found = self._shard.retrieve(body["ids"], with_payload=False, with_vector=True)
        return [{"id": record.id, "vector": record.vector} for record in found]

    def _updated(self, operation: Any) -> Any:
        self._shard.update(operation)
        return {"operation_id": 1, "status": "completed"}


def _filter(given: dict[str, Any]) -> Any:
    _check(given, {"must": list}, "filter")
    conditions = []
    for condition in given["must"]:
        _check(condition, {"key": str, "match": dict}, "condition")
        _check(condition["match"], {"any": list}, "match")
        conditions.append(qdrant.FieldCondition(condition["key"], match=qdrant.MatchAny(condition["match"]["any"])))
    return qdrant.Filter(must=conditions)


def _check(given: dict[str, Any], shape: dict[str, Any] | None, what: str) -> None:
    if shape is None:
        raise Refused(400, f"no such request: {what}")
    missing = shape.keys() - given.keys() - _OPTIONAL
    wrong = [name for name, value in given.items() if not isinstance(value, shape.get(name, ()))]
    if missing or wrong:
        raise Refused(400, f"Format error in JSON body: {what}: missing {sorted(missing)}, wrong {wrong}")


@contextmanager
def qdrant_server(folder: Path) -> Iterator[str]:
    """Its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), QdrantHandler)
    server.shards, server.folder, server.making = {}, folder, threading.Lock()  # type: ignore[attr-defined]
    with running(server):
        yield url_of(server)
    for shard in server.shards.values():  # type: ignore[attr-defined]
        shard.close()
