"""Where a chat model helps: chunks with their context, and queries that are rewritten."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web

from runtime.conformance.upstream import CHAT_MODEL, RERANK_MODEL, refusal
from tests.conformance.vector_stores.asking import Asking
from tests.support.vector_stores import STORES
from tests.support.word_models import Models

pytestmark = pytest.mark.asyncio(loop_scope="module")
ANY_DATABASE = True  # what a chat model writes does not depend on it
WORDS = ["wool", "food", "songs"]
TEXT = "\n\n".join(f"Part {number}. " + f"It says this or that of {word}. " * 18 for number, word in enumerate(WORDS))


def contextual(**sizes: Any) -> dict[str, Any]:
    return {"type": "contextual", "contextual": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 0, **sizes}}


async def test_each_chunk_is_found_by_its_context(stores: Asking, models: Models) -> None:
    store = await stores.store()
    models.says = "This is about llamas."
    before = len(models.prompts())
    file_id = await stores.attach(store, TEXT, chunking_strategy=contextual())
    prompts = models.prompts()[before:]
    path = f"{STORES}/{store}/files/{file_id}"
    chunks = (await stores.done("GET", f"{path}/content?include_metadata=true"))["data"]
    assert len(chunks) == len(prompts) > 3
    for chunk in chunks:
        assert chunk["text"].startswith("This is about llamas.\n\n")
        assert chunk["metadata"]["context"] == "This is about llamas."
    for prompt in prompts:
        assert "Part 0." in prompt and "songs" in prompt, "it has all of the document"
    [hit, *_] = await stores.search(store, "llamas", search_mode="keyword")
    assert hit["file_id"] == file_id
    shown = await stores.done("GET", path)
    assert shown["chunking_strategy"]["type"] == "contextual"
    assert {"read", "context", "embed", "store"} <= shown["report"]["seconds"].keys()


async def test_the_prompt_and_the_model_are_the_caller_s(stores: Asking, models: Models) -> None:
    store = await stores.store()
    strategy = contextual(context_prompt="<{{WHOLE_DOCUMENT}}|{{CHUNK_CONTENT}}>", model_id=CHAT_MODEL)
    text = "A text with {{CHUNK_CONTENT}} in it."
    await stores.attach(store, text, chunking_strategy=strategy)
    assert models.prompts()[-1] == f"<{text}|{text}>"


@pytest.mark.parametrize(
    ("model", "code"), [("none-such", "unknown_chat_model"), (RERANK_MODEL, "model_type_mismatch")]
)
async def test_a_model_that_cannot_write_is_refused_at_once(stores: Asking, model: str, code: str) -> None:
    store = await stores.store()
    file_id = await stores.upload(TEXT)
    strategy = contextual(model_id=model)
    one = {"file_id": file_id, "chunking_strategy": strategy}
    for path, body in (
        (f"{STORES}/{store}/files", one),
        (f"{STORES}/{store}/file_batches", {"files": [one]}),
        (f"{STORES}/{store}/reindex", {"chunking_strategy": strategy}),
        (STORES, {"file_ids": [file_id], "chunking_strategy": strategy}),
    ):
        error = await stores.refused(400, "POST", path, body)
        assert (error["code"], error["param"]) == (code, "chunking_strategy") and model in error["message"]
    assert (await stores.done("GET", f"{STORES}/{store}/files"))["data"] == []


async def test_a_file_whose_context_a_model_refuses_fails_with_its_words(stores: Asking, models: Models) -> None:
    async def refuses(request: web.Request) -> web.StreamResponse:
        return refusal(400, "this prompt is too long")

    store = await stores.store()
    file_id = await stores.upload(TEXT)
    models.misbehaves = refuses
    try:
        body = {"file_id": file_id, "chunking_strategy": contextual()}
        await stores.done("POST", f"{STORES}/{store}/files", body)
        ended = await stores.ended(store, file_id)
    finally:
        models.misbehaves = None
    assert ended["status"] == "failed" and ended["last_error"]["code"] == "invalid_file"
    assert "this prompt is too long" in ended["last_error"]["message"]
    assert await stores.search(store, "wool") == []


async def test_a_query_is_rewritten_and_the_answer_shows_it(stores: Asking, models: Models) -> None:
    store = await stores.store()
    await stores.insert(store, *({"content": one, "metadata": {"document_id": one}} for one in ("alpha", "beta")))
    models.says = '"beta"\n'
    body = {"query": "what comes second?", "rewrite_query": True, "max_num_results": 1, "explain": True}
    found = await stores.done("POST", f"{STORES}/{store}/search", body)
    assert found["search_query"] == ["beta"]
    assert [hit["file_id"] for hit in found["data"]] == ["beta"]
    assert found["data"][0]["explanation"]["query"] == "beta"
    assert "what comes second?" in models.prompts()[-1]


@pytest.mark.parametrize("says", ["", None])
async def test_a_query_that_cannot_be_rewritten_is_searched_as_it_is(
    stores: Asking, models: Models, says: str | None
) -> None:
    async def is_down(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/chat/completions"):
            return refusal(400, "no chat today")
        return await models._answer(request, await request.read())

    store = await stores.store()
    await stores.insert(store, {"content": "alpha", "metadata": {"document_id": "alpha"}})
    models.says = says or ""
    models.misbehaves = None if says == "" else is_down
    try:
        path, body = f"{STORES}/{store}/search", {"query": "alpha", "rewrite_query": True}
        answered = await stores.ask("POST", path, body)
    finally:
        models.misbehaves = None
    assert answered.status == 200
    assert answered.json()["search_query"] == ["alpha"] and len(answered.json()["data"]) == 1
    assert "rewrite_query" in answered.headers["x-llama-warnings"]
