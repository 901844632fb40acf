"""Servers that answer well and refuse a part of what was asked: none of it is passed over in silence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from runtime import discovery
from runtime.apis.vector_io import CreateCollection
from runtime.errors import Unavailable
from runtime.providers.vector_io._shared.remote import Missing, RemoteVectors, Server
from tests.conformance.vector_io.asking import Asked, drawn
from tests.conformance.vector_io.subject import adapter
from tests.conformance.vector_io.vendors.elasticsearch import Elasticsearch
from tests.conformance.vector_io.vendors.weaviate import Weaviate
from tests.conformance.vector_io.wire import KEY, Vendor, serving
from tests.conformance.vector_io.wire import Asked as Request
from tests.support.contexts import provider_context


class Refuses:
    """A server that refuses the second document, and half of a removal."""

    content_type = "application/octet-stream"

    def __init__(self, inner: Vendor, answers: dict[str, Any]) -> None:
        self._inner, self._answers = inner, answers

    def answer(self, asked: Request) -> Any:
        answer = self._inner.answer(asked)
        own = f"{asked.method} {asked.path.rpartition('/')[2]}"
        return self._answers.get(own, answer)


_FULL = {"type": "es_rejected_execution_exception", "reason": "the queue is full"}
_ELASTICSEARCH = {
    "POST _bulk": {"errors": True, "items": [{"index": {"status": 201}}, {"index": {"status": 429, "error": _FULL}}]},
    "POST _delete_by_query": {"deleted": 1, "failures": [{"status": 409, "cause": {"reason": "a newer version"}}]},
}
_WEAVIATE = {
    "POST objects": [
        {"result": {"status": "SUCCESS"}},
        {"result": {"status": "FAILED", "errors": {"error": [{"message": "the queue is full"}]}}},
    ],
    "DELETE objects": {"results": {"matches": 2, "successful": 1, "failed": 1}},
}
_KINDS: dict[str, tuple[str, str, Callable[[], Vendor], dict[str, Any]]] = {
    "elasticsearch": ("remote::elasticsearch", "elasticsearch_url", Elasticsearch, _ELASTICSEARCH),
    "weaviate": ("remote::weaviate", "weaviate_cluster_url", lambda: Weaviate("1.39.4"), _WEAVIATE),
}


@pytest.mark.parametrize("name", _KINDS)
async def test_a_part_that_is_refused_is_an_error(name: str, tmp_path: Path) -> None:
    kind, setting, vendor, answers = _KINDS[name]
    with serving(Refuses(vendor(), answers)) as url:
        vectors = Asked(adapter(kind, {setting: url, "api_key": KEY}, tmp_path))
        await vectors.create(3)
        with pytest.raises(Unavailable, match="the queue is full"):
            await vectors.put([1, 2], drawn(2, 3))
        with pytest.raises(Unavailable, match=r"a newer version|removed 1 of 2 objects"):
            await vectors.remove(0)
        await vectors.stop()


@pytest.mark.parametrize("name", _KINDS)
async def test_a_wrong_key_is_said(name: str, tmp_path: Path) -> None:
    kind, setting, vendor, _ = _KINDS[name]
    with serving(vendor()) as url:
        vectors = Asked(adapter(kind, {setting: url, "api_key": "another key"}, tmp_path))
        with pytest.raises(Unavailable, match="answered 401") as caught:
            await vectors.create(3)
        assert "another key" not in str(caught.value.body())
        await vectors.stop()


class Nowhere:
    """A server on which there is nothing, and nothing can be made."""

    most_dimensions = 100
    place = "the server"

    async def dimension(self, name: str) -> int:
        raise Missing(name)

    async def create(self, name: str, dimension: int) -> None:
        raise Missing(name) from RuntimeError("there is no such database")


async def test_a_collection_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    context = provider_context(discovery.built_in().by_type["vector_io", "remote::chromadb"], state_dir=tmp_path)
    vectors = RemoteVectors(context, cast("Server", Nowhere()))
    with pytest.raises(Unavailable, match="cannot make a collection: there is no such database"):
        await vectors.create_collection(CreateCollection(provider_id="acme", collection="vs_1", dimension=3))
