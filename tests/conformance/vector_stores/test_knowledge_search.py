"""The tool `knowledge_search` over vector stores, under the names that older systems have for its group."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.conformance.upstream import CHAT_MODEL
from tests.conformance.vector_stores.asking import Asking

pytestmark = pytest.mark.asyncio(loop_scope="module")
ANY_DATABASE = True  # it asks what the other modules try
INVOKE, GROUPS = "/v1/tool-runtime/invoke", "/v1/toolgroups"


async def filled(stores: Asking) -> str:
    store = await stores.store()
    documents = [{"document_id": "llamas", "content": "A llama grazes on the meadow.", "metadata": {}}]
    await stores.done("POST", "/v1/tool-runtime/rag-tool/insert", {"documents": documents, "vector_db_id": store})
    return store


def call(query: str = "Who grazes?", **facts: Any) -> dict[str, Any]:
    return {"tool_name": "knowledge_search", "kwargs": {"query": query, **facts}}


def text_of(result: Any) -> str:
    return "".join(part["text"] for part in result["content"])


@pytest.mark.parametrize("named", ["", "x" * 900])
async def test_what_is_no_name_of_a_store_is_refused(stores: Asking, named: str) -> None:
    refused = await stores.refused(400, "POST", INVOKE, call(vector_store_ids=[named]))
    assert refused["param"] == "kwargs" and "vector_store_ids" in refused["message"]


@pytest.mark.parametrize("name", ["vector_store_ids", "vector_db_ids"])
async def test_stores_that_the_call_names_are_searched(stores: Asking, name: str) -> None:
    store = await filled(stores)
    result = await stores.done("POST", INVOKE, call(**{name: [store]}))
    assert "A llama grazes on the meadow." in text_of(result)
    assert result["metadata"]["document_ids"] == ["llamas"] and result["metadata"]["vector_store_ids"] == [store]
    short = call(**{name: [store], "query_config": {"chunk_template": "<{index}|{chunk.content}>"}})
    assert "<1|A llama grazes on the meadow.>" in text_of(await stores.done("POST", INVOKE, short))


@pytest.mark.parametrize("group", ["builtin::rag", "builtin::file_search"])
async def test_the_tool_is_one_tool_under_each_name_of_its_group(stores: Asking, group: str) -> None:
    store = await filled(stores)
    found = await stores.done("GET", f"{GROUPS}/{group}")
    assert found["provider_id"] == "rag-runtime"
    [tool] = (await stores.done("GET", f"/v1/tools?toolgroup_id={group}"))["data"]
    assert tool["toolgroup_id"] == group and list(tool["input_schema"]["properties"]) == ["query"]
    named = call(vector_store_ids=[store]) | {"tool_name": f"{group}/knowledge_search"}
    assert "grazes" in text_of(await stores.done("POST", INVOKE, named))


async def test_a_group_may_say_which_stores_are_searched(stores: Asking) -> None:
    store, other = await filled(stores), await stores.store()
    group = {"toolgroup_id": "my/docs", "provider_id": "rag-runtime", "args": {"vector_db_ids": [store]}}
    await stores.done("POST", GROUPS, group)
    try:
        mine = call() | {"toolgroup_id": "my/docs"}
        assert "grazes" in text_of(await stores.done("POST", INVOKE, mine))
        elsewhere = call(vector_store_ids=[other]) | {"toolgroup_id": "my/docs"}
        assert (await stores.done("POST", INVOKE, elsewhere))["content"] == "Nothing was found."
        error = await stores.refused(400, "POST", INVOKE, call())
        assert error["code"] == "tool_ambiguous" and "`my/docs/knowledge_search`" in error["message"]
    finally:
        await stores.done("DELETE", f"{GROUPS}/my/docs")


async def test_what_is_missing_or_unknown_is_named(stores: Asking) -> None:
    assert "`vector_store_ids`" in (await stores.refused(400, "POST", INVOKE, call()))["message"]
    await stores.refused(404, "POST", INVOKE, call(vector_store_ids=["vs_none"]))
    wrong = call(vector_store_ids=["vs_none"], query_config={"max_chunks": 0})
    assert "`kwargs.query_config.max_chunks`" in (await stores.refused(400, "POST", INVOKE, wrong))["message"]


@pytest.mark.parametrize("name", ["vector_store_ids", "vector_db_ids"])
async def test_a_response_searches_the_stores_that_its_tool_names(stores: Asking, name: str) -> None:
    """As the agents of older systems name them, whose models are told of no store."""
    store = await filled(stores)
    tool = {"type": "tool_group", "tool_group": "builtin::rag", "args": {name: [store]}}
    body = {"model": CHAT_MODEL, "input": "Who grazes?", "tools": [{**tool, "allowed_tools": ["knowledge_search"]}]}
    response = await stores.done("POST", "/v1/responses", body)
    found, message = response["output"]
    assert (found["name"], found["status"], found["metadata"]["vector_store_ids"]) == (
        "knowledge_search",
        "completed",
        [store],
    )
    assert "A llama grazes on the meadow." in found["output"] and "grazes" in message["content"][0]["text"]
    assert store not in found["arguments"]
