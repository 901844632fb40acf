"""The documents of an agent's turn: read by the model, or searched where the agent can."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio
from aiohttp import web

from runtime.clock import wall_time
from runtime.conformance.stacks import Served, adapter_of, run_config, serving
from runtime.conformance.upstream import EMBEDDING_MODEL, Upstream
from runtime.conformance.upstream.scripted import Script, calls, says
from runtime.stack.retention import Retention
from tests.support.agents import USER, Session, begun
from tests.support.stacks import openai_at


class Searched(Script):
    """A vendor whose embeddings are as usual."""

    def __init__(self, upstream: Upstream, *answers: Any) -> None:
        super().__init__(*answers)
        self._upstream = upstream

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/embeddings"):
            return await self._upstream._answer(request, await request.read())
        return await super().__call__(request)


@pytest_asyncio.fixture
async def served(upstream: Upstream, tmp_path: Path) -> AsyncIterator[Served]:
    """A stack in which documents are searched."""
    providers = {
        "inference": [openai_at(upstream.url)],
        "vector_io": [{"provider_id": "memory", "provider_type": "inline::faiss"}],
        "tool_runtime": [{"provider_id": "rag-runtime", "provider_type": "inline::rag-runtime"}],
        "file_processors": [{"provider_id": "auto", "provider_type": "inline::auto"}],
    }
    default = {"default_embedding_model": {"provider_id": "vendor", "model_id": EMBEDDING_MODEL}}
    models = [{"model_id": f"vendor/{EMBEDDING_MODEL}", "provider_id": "vendor", "model_type": "embedding",
               "provider_model_id": EMBEDDING_MODEL, "metadata": {"embedding_dimension": 8}}]  # fmt: skip
    run = run_config(providers=providers, vector_stores=default, models=models)
    async with serving(run, tmp_path) as served:
        yield served


@pytest_asyncio.fixture
async def searching(served: Served) -> Session:
    """A session of an agent that searches documents."""
    return await begun(served.client, toolgroups=["builtin::rag/knowledge_search"])


async def test_documents_are_searched_where_the_agent_can(searching: Session, upstream: Upstream) -> None:
    search = calls(("c1", "knowledge_search", '{"query":"What do llamas do?"}'))
    upstream.misbehaves = script = Searched(upstream, search, says("They hum."))
    documents = [{"content": "Llamas hum.", "mime_type": "text/plain"}]
    turn = await searching.turn(documents=documents)
    assert "Llamas hum." in str(turn["steps"][1]["tool_responses"][0]["content"])
    assert "Llamas hum." not in str(script.asked[0]["messages"]), "the model reads what it has searched"

    upstream.misbehaves = Searched(upstream, search, says("They hum."))
    again = await searching.turn()
    assert "Llamas hum." in str(again["steps"][1]["tool_responses"][0]["content"]), "they stay with the session"
    stores = (await searching.client.get("/v1/vector-dbs")).json()["data"]
    assert [one["identifier"] for one in stores] == [f"documents-of-{turn['session_id']}"]
    assert (await searching.client.request("DELETE", searching.path)).status == 204
    assert (await searching.client.get("/v1/vector-dbs")).json()["data"] == []


async def test_documents_go_with_a_session_that_is_too_old(
    served: Served, searching: Session, upstream: Upstream
) -> None:
    upstream.misbehaves = Searched(upstream, says("They hum."))
    await searching.turn(documents=[{"content": "Llamas hum.", "mime_type": "text/plain"}])
    assert len((await searching.client.get("/v1/vector-dbs")).json()["data"]) == 1
    removing = Retention(served.stack._stores, {"sessions": 50.0}, clock=lambda: wall_time() + 100.0)
    assert await removing.turn() == {"sessions": 1}
    assert await adapter_of(served.stack, "agents")._removing.turn() == ""
    assert (await searching.client.get("/v1/vector-dbs")).json()["data"] == []
    assert (await searching.client.get("/v1/responses")).json()["data"] == []


async def test_files_are_read_by_the_model(upstream: Upstream, tmp_path: Path) -> None:
    readers = [{"provider_id": "auto", "provider_type": "inline::auto"}]
    run = run_config(providers={"inference": [openai_at(upstream.url)], "file_processors": readers})
    async with serving(run, tmp_path) as served:
        session = await begun(served.client)
        await session.turn(
            documents=[
                {"content": {"uri": "data:text/plain;base64,TGxhbWFzIHNwaXQu"}, "mime_type": "text/plain"},
                {"content": "data:text/html;base64,PHA+TGxhbWFzIHJ1bi48L3A+", "mime_type": "text/html"},
                {"content": " data:text/plain,Llamas%20hum. ", "mime_type": "text/plain"},
                {"content": {"uri": "Data:text/plain,Llamas%20graze."}, "mime_type": "text/plain"},
            ]
        )
        said = json.dumps(upstream.seen[-1].json()["messages"])
        assert all(f"Llamas {do}." in said for do in ("spit", "run", "hum", "graze")) and "<p>" not in said


async def test_stores_that_are_no_list_are_refused(searching: Session) -> None:
    groups = [{"name": "builtin::rag/knowledge_search", "args": {"vector_store_ids": 5}}]
    documents = [{"content": "Llamas hum.", "mime_type": "text/plain"}]
    body = {"messages": [USER], "documents": documents, "toolgroups": groups}
    answer = await searching.client.post(f"{searching.path}/turn", body)
    assert (answer.status, answer.error["param"]) == (400, "toolgroups")
    assert "`vector_store_ids` is no list" in answer.error["message"]
