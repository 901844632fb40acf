"""Servers that answer well and refuse a part of what was asked: none of it is passed over in silence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from runtime import discovery
from runtime.apis.vector_io.protocol import CreateCollection, SearchVectors
from runtime.conformance.contexts import provider_context
from runtime.conformance.vector_io.asking import Asked, drawn
from runtime.conformance.vector_io.subject import adapter
from runtime.errors import StackError, Unavailable, UpstreamError
from runtime.providers.vector_io._shared.remote import Missing, RemoteVectors, VectorServer
from tests.conformance.vector_io.subject import built_in
from tests.conformance.vector_io.vendors.elasticsearch import Elasticsearch
from tests.conformance.vector_io.vendors.weaviate import Weaviate
from tests.conformance.vector_io.wire import KEY, Vendor, serving
from tests.conformance.vector_io.wire import Asked as Request


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
        vectors = Asked(adapter(built_in(kind), {setting: url, "api_key": KEY}, tmp_path))
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
        vectors = Asked(adapter(built_in(kind), {setting: url, "api_key": "another key"}, tmp_path))
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
    vectors = RemoteVectors(context, cast("VectorServer", Nowhere()))
    with pytest.raises(Unavailable, match="cannot make a collection: there is no such database"):
        await vectors.create_collection(CreateCollection(provider_id="acme", collection="vs_1", dimension=3))


class Senseless:
    """A server that gives the same answer to everything."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def answer(self, asked: Request) -> Any:
        return self._answer


_ADDRESSES = {
    "chromadb": "url",
    "elasticsearch": "elasticsearch_url",
    "infinispan": "url",
    "qdrant": "url",
    "weaviate": "weaviate_cluster_url",
}


@pytest.mark.parametrize("answer", [{}, [], None, 7, {"result": None}, {"config": []}, b"Vector\xff"])
@pytest.mark.parametrize("name", _ADDRESSES)
async def test_a_senseless_answer_is_the_server_s_fault(name: str, answer: Any, tmp_path: Path) -> None:
    with serving(Senseless(answer)) as url:
        vectors = Asked(adapter(built_in(f"remote::{name}"), {_ADDRESSES[name]: url}, tmp_path))
        for ask in (lambda: vectors.create(3), lambda: vectors.search(drawn(1, 3)[0], 1)):
            with pytest.raises(StackError) as caught:
                await ask()
            assert caught.value.status in (404, 502, 503), caught.value
        await vectors.stop()


class Odd:
    """A server whose collections are well, and whose searches are not."""

    most_dimensions = 100
    place = "the server"

    def __init__(self, found: Any) -> None:
        self._found = found

    async def dimension(self, name: str) -> int:
        return 3

    async def search(self, name: str, vector: bytes, limit: int, groups: object) -> Any:
        return self._found


@pytest.mark.parametrize("found", [None, 5, ([1], [None]), (["1"], [0.5]), ([1], ["near"]), {}])
async def test_what_is_no_list_of_hits_is_a_bad_answer(found: Any, tmp_path: Path) -> None:
    context = provider_context(discovery.built_in().by_type["vector_io", "remote::chromadb"], state_dir=tmp_path)
    vectors = RemoteVectors(context, cast("VectorServer", Odd(found)))
    with pytest.raises(UpstreamError, match="an answer that makes no sense") as caught:
        await vectors.search_vectors(
            SearchVectors(provider_id="acme", collection="vs_1", vector=drawn(1, 3)[0].tobytes(), limit=1, groups=None)
        )
    assert (caught.value.status, caught.value.code) == (502, "senseless_answer")
    assert "makes no sense" in ((await vectors.check_health()).message or "")
