"""Vector stores under their older names: vector databases and the RAG tool."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from runtime.conformance.upstream import CHAT_MODEL, EMBEDDING_MODEL
from tests.conformance.vector_stores.asking import Asking, text_of
from tests.support.vector_stores import STORES
from tests.support.word_models import DIMENSION, LARGE_EMBEDDING_MODEL, Models

pytestmark = pytest.mark.asyncio(loop_scope="module")
ANY_DATABASE = True  # they are other names of what the other modules try
DBS, RAG = "/v1/vector-dbs", "/v1/tool-runtime/rag-tool"


async def inserted(stores: Asking, store: str, *documents: dict[str, Any], **facts: Any) -> None:
    given = [{"metadata": {}, **one} for one in documents]
    await stores.done("POST", f"{RAG}/insert", {"documents": given, "vector_db_id": store, **facts})


async def answered(stores: Asking, content: Any, *stores_ids: str, **config: Any) -> Any:
    return await stores.done(
        "POST", f"{RAG}/query", {"content": content, "vector_db_ids": stores_ids, "query_config": config}
    )


async def test_a_vector_db_has_the_id_that_it_is_given(stores: Asking) -> None:
    made = await stores.done("POST", DBS, {"vector_db_id": "my/handbook", "embedding_model": EMBEDDING_MODEL})
    assert made == {
        "identifier": "my/handbook", "provider_resource_id": "my/handbook", "provider_id": made["provider_id"],
        "type": "vector_db", "embedding_model": EMBEDDING_MODEL, "embedding_dimension": DIMENSION,
        "vector_db_name": "my/handbook",
    }  # fmt: skip
    again = {"vector_db_id": "my/handbook", "embedding_model": EMBEDDING_MODEL, "embedding_dimension": DIMENSION}
    assert await stores.done("POST", DBS, again) == made
    assert await stores.done("GET", f"{DBS}/my/handbook") == made
    assert made in (await stores.done("GET", DBS))["data"]
    error = await stores.refused(409, "POST", DBS, again | {"embedding_model": LARGE_EMBEDDING_MODEL})
    assert (error["code"], error["param"]) == ("already_exists", "embedding_model")
    await inserted(stores, "my/handbook", {"document_id": "d", "content": "A llama grazes."})
    await stores.done("DELETE", f"{DBS}/my/handbook")
    assert (await stores.refused(404, "GET", f"{DBS}/my/handbook"))["param"] == "vector_db_id"
    await stores.refused(404, "DELETE", f"{DBS}/my/handbook")


async def test_documents_are_found_when_they_are_inserted_and_replaced_by_their_id(stores: Asking) -> None:
    store = await stores.store()
    await inserted(
        stores,
        store,
        {"document_id": "llamas", "content": "A llama grazes on the meadow.", "metadata": {"year": 2026}},
        {
            "document_id": "owls",
            "content": [{"type": "text", "text": "An owl hunts"}, {"type": "text", "text": "at night."}],
        },
    )
    [hit] = await stores.search(store, "llama meadow", max_num_results=1)
    assert (hit["file_id"], hit["attributes"]) == ("llamas", {"document_id": "llamas", "year": 2026})
    assert text_of((await stores.search(store, "owl hunts"))[0]) == "An owl hunts\nat night."
    await inserted(stores, store, {"document_id": "llamas", "content": "A llama sleeps in the stable."})
    for mode in ("vector", "keyword", "hybrid"):
        texts = [text_of(hit) for hit in await stores.search(store, "llama meadow stable", search_mode=mode)]
        assert "A llama sleeps in the stable." in texts and "A llama grazes on the meadow." not in texts


async def test_documents_come_as_data_in_any_format(stores: Asking) -> None:
    store = await stores.store()
    page = base64.b64encode(b"<html><body><h1>Foxes</h1><p>A fox sleeps in its den.</p></body></html>").decode()
    await inserted(
        stores,
        store,
        {"document_id": "fox", "content": {"uri": f"data:text/html;base64,{page}"}},
        {"document_id": "note", "content": "data:text/plain,A%20badger%20digs."},
    )
    assert text_of((await stores.search(store, "fox den"))[0]).endswith("A fox sleeps in its den.")
    assert text_of((await stores.search(store, "badger digs"))[0]) == "A badger digs."


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ({"uri": "http://127.0.0.1:1/secret"}, "address_not_allowed"),
        ("file:///etc/passwd", "invalid_address"),
        ({"uri": "data:text/plain;base64,!!!"}, "invalid_address"),
        ("   ", "document_without_text"),
    ],
)
async def test_a_document_that_cannot_be_read_is_named(stores: Asking, content: Any, code: str) -> None:
    store = await stores.store()
    documents = [{"document_id": "good", "content": "A llama grazes."}, {"document_id": "bad", "content": content}]
    body = {"documents": documents, "vector_db_id": store}
    error = await stores.refused(400, "POST", f"{RAG}/insert", body)
    assert (error["code"], error["param"]) == (code, "documents") and "`bad`" in error["message"]
    assert await stores.search(store, "llama") == []


async def test_a_query_writes_down_what_several_stores_say(stores: Asking) -> None:
    first, second = await stores.store(), await stores.store()
    await inserted(stores, first, {"document_id": "llamas", "content": "A llama grazes.", "metadata": {"page": 7}})
    await inserted(stores, second, {"document_id": "owls", "content": "An owl grazes never."})
    found = await answered(
        stores, "a llama grazes", first, second, chunk_template="{index}|{chunk.content}|{metadata}|{x}"
    )
    texts = [part["text"] for part in found["content"]]
    assert found["metadata"]["document_ids"] == ["llamas", "owls"]
    assert found["metadata"]["vector_db_ids"] == [first, second]
    assert found["metadata"]["chunks"] == ["A llama grazes.", "An owl grazes never."]
    assert found["metadata"]["scores"] == sorted(found["metadata"]["scores"], reverse=True)
    assert len(texts) == 5 and texts[1].startswith("1|A llama grazes.|{") and texts[1].endswith("|{x}")
    assert "'page': 7" in texts[1] and "a llama grazes" in texts[-1]


async def test_a_query_has_its_limits(stores: Asking) -> None:
    store = await stores.store()
    await inserted(stores, store, *({"document_id": f"d{n}", "content": f"llama number {n}"} for n in range(5)))
    assert len((await answered(stores, "llama", store, max_chunks=3))["metadata"]["chunks"]) == 3
    few = await answered(stores, "llama", store, max_tokens_in_context=60)
    assert 0 < len(few["metadata"]["chunks"]) < 5
    none = await answered(stores, "llama", store, max_tokens_in_context=1)
    assert none == {"content": None, "metadata": {name: [] for name in none["metadata"]}}
    error = await stores.refused(404, "POST", f"{RAG}/query", {"content": "x", "vector_db_ids": [store, "vs_none"]})
    assert error["param"] == "vector_db_ids" and "vs_none" in error["message"]


async def test_a_model_writes_the_query(stores: Asking, models: Models) -> None:
    store = await stores.store()
    await inserted(stores, store, {"document_id": "a", "content": "alpha"}, {"document_id": "b", "content": "beta"})
    models.says = "beta"
    how = {"type": "llm", "model": CHAT_MODEL, "template": "Make a query of: {{ messages }}!"}
    found = await answered(stores, "alpha", store, query_generator_config=how, max_chunks=1)
    assert models.prompts()[-1] == "Make a query of: alpha!"
    assert found["metadata"]["document_ids"] == ["b"]
    unknown = {
        "content": "x",
        "vector_db_ids": [store],
        "query_config": {"query_generator_config": how | {"model": "no"}},
    }
    assert (await stores.refused(400, "POST", f"{RAG}/query", unknown))["code"] == "unknown_chat_model"


async def test_both_names_are_the_same_store(stores: Asking) -> None:
    store = await stores.store(name="Handbook")
    assert (await stores.done("GET", f"{DBS}/{store}"))["vector_db_name"] == "Handbook"
    await stores.done("POST", DBS, {"vector_db_id": "registered"})
    assert (await stores.done("GET", f"{STORES}/registered"))["name"] == "registered"
    await stores.done("DELETE", f"{STORES}/registered")
    await stores.refused(404, "GET", f"{DBS}/registered")
