"""What a trace tells of a response with tools: every step below the one that led to it, whole or streamed; and which
of them has failed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from runtime.apis.tool_runtime.protocol import InvokeToolRequest, ToolInvocationResult
from runtime.conformance.stacks import Served, run_config, serving
from runtime.conformance.upstream import CHAT_MODEL, EMBEDDING_MODEL, Upstream
from runtime.conformance.upstream.scripted import Script, calls, says
from runtime.errors import Unavailable
from runtime.sse import Frames
from runtime.telemetry.spans import Span
from tests.support.stacks import openai_at
from tests.support.tool_groups import SPEC, Tools, group, toolbox
from tests.unit.telemetry._seen import Exported

TREE = [
    "POST /v1/responses",
    "  invoke_agent",
    "    vector_stores.get_store",
    "    tool_runtime.list_tools",
    "    chat small-chat",
    "      POST",
    "    execute_tool file_search",
    "      retrieval STORE",
    "        embeddings small-embed",
    "          POST",
    "        search_vectors",
    "    execute_tool look",
    "      tool_runtime.list_tools",
    "      tool_runtime.invoke_tool",
    "    chat small-chat",
    "      POST",
]


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
    providers = {
        "inference": [openai_at(upstream.url)],
        "vector_io": [{"provider_id": "memory", "provider_type": "inline::faiss"}],
        "tool_runtime": [toolbox(weather=["look"])],
        "telemetry": [{"provider_id": "builtin", "provider_type": "inline::builtin"}],
    }
    default = {"default_embedding_model": {"provider_id": "vendor", "model_id": EMBEDDING_MODEL}}
    model = {"provider_id": "vendor", "provider_model_id": EMBEDDING_MODEL, "metadata": {"embedding_dimension": 8}}
    resources = {
        "models": [
            {"model_id": f"vendor/{EMBEDDING_MODEL}", "model_type": "embedding", **model},
            {"model_id": "mine", "provider_id": "vendor", "provider_model_id": CHAT_MODEL, "model_type": "llm"},
        ],
        "tool_groups": [group("sky", own="weather")],
    }
    run = run_config(providers=providers, vector_stores=default, registered_resources=resources)
    async with serving(run, tmp_path, specs=[SPEC]) as served:
        yield served


def tree(spans: list[Span]) -> list[str]:
    """The names, each below what led to it, in the order in which they began."""
    lines: list[str] = []

    def show(parent: str | None, depth: int) -> None:
        for span in sorted((one for one in spans if one.parent_id == parent), key=lambda one: one.began):
            lines.append("  " * depth + span.name)
            show(span.id, depth + 1)

    show(None, 0)
    return lines


@pytest.mark.parametrize("streams", [False, True])
async def test_each_step_is_below_what_led_to_it(served: Served, upstream: Upstream, streams: bool) -> None:
    client = served.client
    store = (await client.post("/v1/vector_stores", {"name": "llamas"})).json()["id"]
    chunk = {"content": "Llamas hum.", "metadata": {"document_id": "llamas"}}
    await client.post("/v1/vector-io/insert", {"vector_store_id": store, "chunks": [chunk]})
    wanted = ("c1", "file_search", '{"queries":["what do llamas do"]}'), ("c2", "look", '{"query":"secret"}')
    upstream.misbehaves = Searched(upstream, calls(*wanted), says("They hum."))
    exported = await Exported.of(served.stack)
    tools = [{"type": "file_search", "vector_store_ids": [store]}, {"type": "tool_group", "tool_group": "sky"}]
    asked = {"model": "mine", "input": "What do llamas do?", "tools": tools, "stream": streams}
    answer = await client.post("/v1/responses", asked)
    assert answer.status == 200
    spans = await exported.spans()
    steps = [line.replace(store, "STORE") for line in tree(spans)]
    collection = next(line for line in steps if "search_vectors" in line)
    steps[steps.index(collection)] = collection.rpartition(" ")[0]
    assert steps == TREE
    told = {span.name: span.attributes for span in spans}
    response, look, search = (told[name] for name in ("invoke_agent", "execute_tool look", "execute_tool file_search"))
    last = Frames(answer.body).events()[-1]["response"] if streams else answer.json()
    assert (response["gen_ai.request.model"], response["gen_ai.response.id"]) == ("mine", last["id"])
    assert response["gen_ai.usage.input_tokens"] == last["usage"]["input_tokens"] == 10
    assert response["gen_ai.usage.output_tokens"] == last["usage"]["output_tokens"] == 14
    assert response["llama_stack.response.status"] == "completed"
    assert (search["gen_ai.tool.type"], search["gen_ai.tool.call.id"]) == ("datastore", "c1")
    assert (look["gen_ai.tool.type"], look["gen_ai.tool.call.id"]) == ("extension", "c2")
    model, found = told["chat small-chat"], told[f"retrieval {store}"]
    assert (model["llama_stack.resource.asked_for"], model["gen_ai.request.model"]) == ("mine", "small-chat")
    assert (found["gen_ai.data_source.id"], found["llama_stack.found"]) == (store, 1)
    assert model["llama_stack.resource.source"] == "config"
    assert response["llama_stack.response.tool_types"] == ["file_search", "tool_group"]
    tools_told = "tools that run here were told to the model as functions: `file_search`, `look`"
    assert tools_told in response["llama_stack.changed"]
    assert not any(span.error for span in spans)
    said = str([span.attributes for span in spans])
    assert "secret" not in said and "hum" not in said and "what do" not in said.lower()
    executed = [span for span in spans if span.attributes.get("gen_ai.operation.name") == "execute_tool"]
    assert len(executed) == 2, "what a provider does of it is the same call"


async def test_a_call_of_a_tool_that_fails_says_so(
    served: Served, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether its provider raises, or says it in its answer, or its arguments make no sense."""
    outcomes = iter([Unavailable("it sleeps"), ToolInvocationResult(content=None, error_message="no such city")])

    async def invoke_tool(_: Any, request: InvokeToolRequest) -> ToolInvocationResult:
        outcome = next(outcomes)
        if isinstance(outcome, Unavailable):
            raise outcome
        return outcome

    monkeypatch.setattr(Tools, "invoke_tool", invoke_tool)
    sensible = '{"query":"Oslo"}'
    asked = ("c1", "look", sensible), ("c2", "look", sensible), ("c3", "look", "no JSON")
    upstream.misbehaves = Searched(upstream, *(calls(one) for one in asked), says("I do not know."))
    exported = await Exported.of(served.stack)
    tools = [{"type": "tool_group", "tool_group": "sky"}]
    answer = await served.client.post("/v1/responses", {"model": "mine", "input": "Rain?", "tools": tools})
    assert answer.status == 200, answer.body
    executed = [span for span in await exported.spans() if span.name == "execute_tool look"]
    assert [(span.error, span.message) for span in executed] == [
        ("unavailable", "it sleeps"),
        ("tool_error", ""),
        ("invalid_arguments", ""),
    ]
