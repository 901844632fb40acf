"""What a trace tells of work that no request waits for: batches, evaluations, responses, files of vector stores."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from runtime.conformance.form import HEADERS, file, form
from runtime.conformance.form import field as form_field
from runtime.conformance.stacks import Served, run_config, serving
from runtime.conformance.upstream import EMBEDDING_MODEL, Upstream
from runtime.telemetry.spans import Span
from tests.conformance.batches.asking import MODEL, Asking, lines
from tests.conformance.batches.test_owners import ADA, Acting
from tests.conformance.eval.asking import Repeating, asking_at, rows
from tests.support.stacks import openai_at
from tests.unit.telemetry._seen import Exported

LIMIT_S = 30.0
TOKENS = "gen_ai.usage.output_tokens"


def run(upstream: Upstream, **sections: Any) -> Any:
    providers = {
        "inference": [openai_at(upstream.url)],
        "files": [{"provider_id": "localfs", "provider_type": "inline::localfs"}],
        "vector_io": [{"provider_id": "memory", "provider_type": "inline::faiss"}],
        "file_processors": [{"provider_id": "auto", "provider_type": "inline::auto"}],
        "batches": [{"provider_id": "builtin", "provider_type": "inline::builtin"}],
        "telemetry": [{"provider_id": "builtin", "provider_type": "inline::builtin"}],
    }
    model = {"provider_id": "vendor", "provider_model_id": EMBEDDING_MODEL, "metadata": {"embedding_dimension": 8}}
    embedding = {"model_id": f"vendor/{EMBEDDING_MODEL}", "model_type": "embedding", **model}
    default = {"default_embedding_model": {"provider_id": "vendor", "model_id": EMBEDDING_MODEL}}
    resources = {"models": [embedding]}
    return run_config(providers=providers, vector_stores=default, registered_resources=resources, **sections)


@pytest_asyncio.fixture
async def served(upstream: Upstream, tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(run(upstream), tmp_path) as served:
        yield served


class Refusing:
    """A vendor that is asked too much once. It says when to come again, and nobody waits inside of a request for it."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._has_refused = False

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if self._has_refused:
            return await self._upstream._answer(request, await request.read())
        self._has_refused = True
        return web.json_response({"error": {"message": "slowly"}}, status=429, headers={"retry-after": "1"})


async def until(served: Served, path: str, going_on: set[str]) -> dict[str, Any]:
    async with asyncio.timeout(LIMIT_S):
        while True:
            found: dict[str, Any] = (await served.client.get(path)).json()
            if found["status"] not in going_on:
                return found
            await asyncio.sleep(0.01)


def root(spans: list[Span], name: str) -> Span:
    [found] = [span for span in spans if span.name == name]
    return found


async def test_each_line_of_a_batch_is_a_trace_that_says_where_it_comes_from(
    served: Served, upstream: Upstream
) -> None:
    exported = await Exported.of(served.stack)
    asking = Asking(served, upstream)
    batch = await asking.completed(*lines(3))
    spans = await exported.spans()
    [created] = [span for span in spans if span.name == "POST /v1/batches"]
    roots = [span for span in spans if span.name == "line of a batch"]
    assert sorted(span.attributes["llama_stack.batch.line"] for span in roots) == [1, 2, 3]
    assert len({span.trace.id for span in roots} | {created.trace.id}) == 4, "a trace each, none of the request's"
    for one in roots:
        assert one.parent_id is None and not one.error
        assert one.attributes["llama_stack.batch.id"] == batch["id"] == one.attributes["llama_stack.job.id"]
        assert one.attributes["llama_stack.job.request_id"] == created.trace.request_id
        below = [span for span in spans if span.trace is one.trace and span is not one]
        assert [span.name for span in below] == ["POST", "chat small-chat"]
        assert below[1].parent_id == one.id
    said = {answer["response"]["request_id"] for answer in await asking.output(batch)}
    assert said == {span.attributes["llama_stack.request.id"] for span in roots}

    sql = f"""SELECT sum(output_tokens) FROM spans WHERE trace_id IN (SELECT trace_id FROM spans
    WHERE attributes->>'llama_stack.batch.id' = '{batch["id"]}' AND parent_id IS NULL AND name = 'line of a batch')"""
    answered = await served.client.post("/v1/telemetry/query", json={"sql": sql})
    assert answered.status == 200, answered.body
    assert answered.json()["rows"] == [[batch["usage"]["output_tokens"]]]


async def test_a_trace_of_background_work_is_its_owners(served: Served, upstream: Upstream) -> None:
    exported = await Exported.of(served.stack)
    acting = Acting(Asking(served, upstream), ADA)
    await acting.ended((await acting.create(await acting.upload(2))).id)
    roots = [span for span in await exported.spans() if span.name == "line of a batch"]
    assert [span.trace.owner for span in roots] == [ADA.principal] * 2


async def test_a_line_that_is_asked_again_is_one_trace(served: Served, upstream: Upstream) -> None:
    """The vendor refuses the first time, so there are two calls below one line."""
    upstream.misbehaves = Refusing(upstream)
    exported = await Exported.of(served.stack)
    batch = await Asking(served, upstream).completed(*lines(1))
    spans = await exported.spans()
    line = root(spans, "line of a batch")
    below = [span for span in spans if span.parent_id == line.id]
    assert [bool(span.error) for span in below] == [True, False] and not line.error
    assert batch["request_counts"]["completed"] == 1


async def test_each_row_of_an_evaluation_is_a_trace(
    upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.misbehaves = Repeating()
    telemetry = {"telemetry": [{"provider_id": "builtin", "provider_type": "inline::builtin"}]}
    async with asking_at(upstream, tmp_path, monkeypatch, providers=telemetry) as asking:
        benchmark = await asking.benchmark("numbers", rows(3))
        exported = await Exported.of(asking.served.stack)
        job = await asking.completed(benchmark)
        await asking.settled()
        spans = await exported.spans()
    [created] = [span for span in spans if span.name.startswith("POST ") and span.name.endswith("/jobs")]
    roots = [span for span in spans if span.name == "row of an evaluation"]
    assert sorted(span.attributes["llama_stack.eval.row"] for span in roots) == [0, 1, 2]
    assert len({span.trace.id for span in roots} | {created.trace.id}) == 4
    for one in roots:
        assert one.attributes["llama_stack.job.id"] == job["job_id"] and one.parent_id is None
        assert one.attributes["llama_stack.job.request_id"] == created.trace.request_id
        assert any(span.parent_id == one.id and span.name == "chat small-chat" for span in spans)
    [summed] = [span for span in spans if span.name.startswith("job evaluation")]
    assert summed.attributes["llama_stack.job.request_id"] == created.trace.request_id, "its job was added by that"


async def test_a_response_in_the_background_belongs_to_the_trace_of_its_request(served: Served) -> None:
    exported = await Exported.of(served.stack)
    body = {"model": MODEL, "input": "Hello", "background": True}
    response = (await served.client.post("/v1/responses", json=body)).json()
    ended = await until(served, f"/v1/responses/{response['id']}", {"queued", "in_progress"})
    assert ended["status"] == "completed"
    async with asyncio.timeout(LIMIT_S):
        while not (jobs := [span for span in await exported.spans() if span.name.startswith("job response")]):
            await asyncio.sleep(0.01)
    spans, [job] = await exported.spans(), jobs
    [created] = [span for span in spans if span.name == "POST /v1/responses"]
    [agent] = [span for span in spans if span.name == "invoke_agent"]
    [chat] = [span for span in spans if span.name == "chat small-chat"]
    assert {job.trace.id, chat.trace.id} == {created.trace.id} and job.parent_id == agent.id
    assert chat.parent_id == job.id and job.trace.request_id == created.trace.request_id
    assert job.attributes["llama_stack.job.id"] == response["id"] == agent.attributes["gen_ai.response.id"]
    assert "llama_stack.request.id" not in job.attributes, "it is no request of its own"


async def test_after_a_restart_it_has_a_trace_of_its_own(upstream: Upstream, tmp_path: Path) -> None:
    upstream.gate.clear()
    try:
        async with serving(run(upstream), tmp_path) as first:
            for _ in range(12):  # more than are made at once: some are queued still when the server ends
                body = {"model": MODEL, "input": "Hello", "background": True}
                answered = await first.client.post("/v1/responses", json=body)
                assert answered.status == 200
        upstream.gate.set()
        async with serving(run(upstream), tmp_path) as second:
            exported = await Exported.of(second.stack)
            last = answered.json()["id"]
            await until(second, f"/v1/responses/{last}", {"queued", "in_progress"})
            async with asyncio.timeout(LIMIT_S):
                while not (jobs := [one for one in await exported.spans() if one.name.startswith("job response")]):
                    await asyncio.sleep(0.01)
    finally:
        upstream.gate.set()
    request_ids = {one.attributes["llama_stack.job.request_id"] for one in jobs}
    assert all(one.parent_id is None and one.trace.request_id not in request_ids for one in jobs)


async def test_a_file_of_a_vector_store_is_a_trace_with_its_embeddings(served: Served) -> None:
    content = form(form_field("purpose", "assistants"), file(b"It rains in Oslo.", filename="weather.txt"))
    file_id = (await served.client.post("/v1/files", body=content, headers=HEADERS)).json()["id"]
    store = (await served.client.post("/v1/vector_stores", json={"name": "weather"})).json()["id"]
    exported = await Exported.of(served.stack)
    answered = await served.client.post(f"/v1/vector_stores/{store}/files", json={"file_id": file_id})
    assert answered.status == 200, answered.body
    attached = await until(served, f"/v1/vector_stores/{store}/files/{file_id}", {"in_progress"})
    assert attached["status"] == "completed", attached
    async with asyncio.timeout(LIMIT_S):
        while not (jobs := [span for span in await exported.spans() if span.name.startswith("job ingest")]):
            await asyncio.sleep(0.01)
    [job], spans = jobs, await exported.spans()
    embedded = root(spans, "embeddings small-embed")
    assert job.parent_id is None and embedded.trace is job.trace
    [asked] = [span for span in spans if span.name.startswith("POST /v1/vector_stores/{")]
    assert job.attributes["llama_stack.job.request_id"] == asked.trace.request_id


async def test_nothing_is_told_where_telemetry_is_off(upstream: Upstream, tmp_path: Path) -> None:
    async with serving(run(upstream, telemetry={"enabled": False}), tmp_path) as served:
        assert served.stack.processor is None
        assert (await Asking(served, upstream).completed(*lines(2)))["request_counts"]["completed"] == 2


@pytest.mark.parametrize("streams", [False, True])
async def test_a_kept_chat_is_found_by_the_id_that_its_caller_has(served: Served, streams: bool) -> None:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}], "store": True, "stream": streams}
    exported = await Exported.of(served.stack)
    answered = await served.client.post("/v1/chat/completions", json=body)
    id = answered.events()[0]["id"] if streams else answered.json()["id"]
    request = root(await exported.spans(), "POST /v1/chat/completions")
    assert request.attributes["gen_ai.response.id"] == id
