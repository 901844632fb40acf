"""The clients that others have made, each through a server of ours at a vendor, and where it can at an embedded model.

What the vendor answers depends on the request alone, so what a client reads whole and streamed has to be the same.
"""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import numpy as np
import pytest

from runtime.conformance.upstream import CHAT_MODEL, EMBEDDING_MODEL, RERANK_MODEL, Seen
from runtime.conformance.upstream.texts import vector_of
from tests.processes.clients.gateway import (
    CHAT,
    EMBEDDING,
    GUARD,
    RERANK,
    Gateway,
    break_off,
    check_person,
    each_of,
    having,
)
from tests.support.official_clients import Running, official_clients
from tests.support.stack_home import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.network_registry, pytest.mark.asyncio(loop_scope="module")]

TEXTS = ["a cat sits here", "rates rose again"]  # as in official/driver.py
SAME = {
    "chat", "stream", "reasoning", "streamed_reasoning", "tools", "streamed_tools", "structured", "completion",
    "embeddings",
}  # fmt: skip
"""Scenarios in which a client with OpenAI's paths can also be told the vendor's own address."""
LLAMA_STACK = ("llama-stack-client", "ogx-client")
LIMIT_S = 20.0


with_provider_data = each_of(client for client in official_clients() if client.package in LLAMA_STACK)
with_openai_paths = each_of(
    client for client in official_clients() if client.package != LLAMA_STACK[0] and not client.is_library
)


def given(requests: list[Seen]) -> list[dict[str, Any]]:
    """The fields of each POST, for our server also lists models by itself; null is as good as absent."""
    bodies = [request.json() for request in requests if request.method == "POST"]
    return [{name: value for name, value in body.items() if value is not None} for body in bodies]


def numbers(vectors: list[list[float] | str]) -> list[list[float]]:
    """The vectors, unpacked where a client leaves that to its caller."""
    return [
        np.frombuffer(base64.b64decode(vector), dtype="<f4").tolist() if isinstance(vector, str) else vector
        for vector in vectors
    ]


@having("models")
async def test_models_are_listed(client: Running, gateway: Gateway) -> None:
    known = [CHAT, EMBEDDING, f"vendor/{RERANK_MODEL}", RERANK, GUARD]
    assert await client("models", url=gateway.at(client)) == known


@having("chat")
async def test_a_chat_answers_with_usage(client: Running, gateway: Gateway) -> None:
    told = await client("chat", url=gateway.at(client), model=CHAT)
    assert len(told["text"].split()) == 12 and told["finish"] == "stop"
    prompt, completion, total = told["usage"]
    assert prompt > 0 and completion == 12 and total == prompt + completion


@having("stream")
async def test_a_stream_is_the_whole_answer_in_parts(client: Running, gateway: Gateway) -> None:
    told = await client("stream", url=gateway.at(client), model=CHAT)
    assert told.pop("parts") == 12
    assert told == await client("chat", url=gateway.at(client), model=CHAT)


@having("reasoning")
async def test_reasoning_is_read(client: Running, gateway: Gateway) -> None:
    assert len((await client("reasoning", url=gateway.at(client), model=CHAT)).split()) == 4


@having("streamed_reasoning")
async def test_reasoning_is_read_from_a_stream(client: Running, gateway: Gateway) -> None:
    assert len((await client("streamed_reasoning", url=gateway.at(client), model=CHAT)).split()) == 4


@having("tools")
async def test_tools_are_called_and_their_answers_used(client: Running, gateway: Gateway) -> None:
    told = await client("tools", url=gateway.at(client), model=CHAT)
    assert [call["name"] for call in told["calls"]] == ["get_weather", "get_time"]
    assert told["calls"][1]["arguments"]["zone"] in ("utc", "local")
    for call in told["calls"]:
        assert f"{call['name']} of {call['arguments']['city']}" in told["answer"]


@having("streamed_tools")
async def test_streamed_tool_calls_are_those_of_a_whole_answer(client: Running, gateway: Gateway) -> None:
    streamed = await client("streamed_tools", url=gateway.at(client), model=CHAT)
    assert streamed == (await client("tools", url=gateway.at(client), model=CHAT))["calls"]


@having("structured")
async def test_structured_answers_are_of_their_type(client: Running, gateway: Gateway) -> None:
    told = await client("structured", url=gateway.at(client), model=CHAT)
    for way, person in told.items():
        check_person(person, way)


@having("completion")
async def test_a_text_is_completed_whole_and_streamed(client: Running, gateway: Gateway) -> None:
    told = await client("completion", url=gateway.at(client), model=CHAT)
    assert told["streamed"] == told["whole"] and len(told["whole"].split()) == 6


@having("files")
async def test_a_file_is_kept_found_read_and_removed(client: Running, gateway: Gateway) -> None:
    told = await client("files", url=gateway.at(client))
    assert told["not_found"]["type"] == client.facts.not_found
    assert told["made"] == ["notes.txt", "assistants", 7000, True]
    assert {told[name] for name in told if name not in ("made", "not_found")} == {True}


@each_of(
    client
    for client in official_clients()
    if client.package in ("openai", *LLAMA_STACK) and not client.is_node and client.can("batched")
)
async def test_a_batch_is_answered_and_what_is_wrong_with_it_told(client: Running, gateway: Gateway) -> None:
    texts = ["first", "second", "third"]
    told = await client("batched", url=gateway.at(client), model=CHAT, texts=texts)
    assert told["status"] == ["validating", "completed"] and told["counts"] == [4, 3, 1] and told["is_listed"]
    assert told["answered"] == [[text, "assistant"] for text in texts]
    assert told["failed"] == ["malformed"] and told["told"] == [[4, "invalid_method"]]
    assert told["not_found"]["type"] == client.facts.not_found
    assert told["cancelled"]["type"] == client.facts.not_found.replace("NotFound", "Conflict")


@having("stores")
async def test_a_vector_store_is_filled_searched_and_removed(client: Running, gateway: Gateway) -> None:
    told = await client("stores", url=gateway.at(client))
    assert told["hits"] == [["guanaco.md", {"wild": True}, "# The guanaco\n\nA guanaco grazes on the heights."]]
    assert told["deleted"]
    if "not_found" in told:
        assert told["not_found"]["type"] == client.facts.not_found


@each_of(client for client in official_clients() if client.package in LLAMA_STACK and "prompts" not in client.lacks)
async def test_a_prompt_is_kept_in_versions_and_removed(client: Running, gateway: Gateway) -> None:
    told = await client("prompts", url=gateway.at(client))
    assert told["made"] == [1, "Say {{ what }}", ["what"], True]
    assert told["changed"] == [2, "Say nothing", [], True]
    assert "version 2" in told["conflict"]["said"] and "`what`" in told["undeclared"]["said"]
    assert told["undeclared"]["type"] == client.facts.bad_request
    assert told["default"] and told["read"] == ["Say {{ what }}", "Say nothing"]
    assert told["listed"] == [[1, "Say {{ what }}", True]]
    assert told["versions"] == [[1, "Say {{ what }}", True], [2, "Say nothing", False]]
    assert told["not_found"]["type"] == client.facts.not_found


@each_of(client for client in official_clients() if client.id in ("llama-stack-client-0.2", "library-0.2"))
async def test_vector_databases_are_filled_searched_and_removed(client: Running, gateway: Gateway) -> None:
    told = await client("vector_dbs", url=gateway.at(client), model=EMBEDDING)
    assert told["listed"] == ["animals"] and told["read"] == EMBEDDING
    assert told["chunks"] == [["A llama grazes.", "llama"]] and told["scores"] == [True]
    assert "1: A guanaco is shy." in told["context"] and told["documents"] == ["guanaco"]
    assert told["not_found"]["type"] == client.facts.not_found


@each_of(client for client in official_clients() if client.id in ("llama-stack-client-0.2", "library-0.2"))
async def test_the_earlier_inference_api_answers_as_chats_do(client: Running, gateway: Gateway) -> None:
    told = await client("earlier_inference", url=gateway.at(client), model=CHAT, embedding=EMBEDDING)
    assert told["text"] == told["streamed"] and len(told["text"].split()) == 12
    assert told["counted"]["completion_tokens"] == 12
    assert told["kinds"] == ["start", "complete", "end_of_turn"]
    assert told["call"] == ["get_weather", ["city"]] and told["streamed_call"] == ["get_weather", True]
    assert "sun in Oslo" in told["used"]
    assert told["completed"] == told["completed_streamed"] and len(told["completed"].split()) == 3
    assert told["vectors"] == [pytest.approx(vector_of(text)) for text in "ab"]
    assert told["batch"] == [told["text"]] * 2 and len(told["batched"]) == 2
    assert told["not_found"]["type"] == client.facts.not_found
    assert told["refused"]["type"] == client.facts.bad_request and "tool_config.tool_choice" in told["refused"]["said"]


with_older_apis = each_of(
    client
    for client in official_clients()
    if client.id in ("llama-stack-client-0.2", "llama-stack-client-0.3", "library-0.2", "library-0.3")
)


@with_older_apis
async def test_rows_are_made_up_of_a_dialog_and_of_a_schema(client: Running, gateway: Gateway) -> None:
    told = await client("synthetic_data", url=gateway.at(client), model=CHAT)
    assert len({row["response"] for row in told["whole"]}) == 10
    assert {row["prompt"] for row in told["whole"]} == {"Say something about the sea"}
    assert len(told["best"]) == 2 and all(row["score"] < 0 for row in told["best"])
    statistics = told["statistics"]
    assert (statistics["scored_by"], statistics["num_filtered"], statistics["model"]) == ("logprob", 2, CHAT)
    for person in told["people"]:
        check_person(person, "synthetic data")
    assert len(told["people"]) == 2
    assert told["not_found"]["type"] == client.facts.not_found and "`none`" in told["not_found"]["said"]
    assert told["refused"]["type"] == client.facts.bad_request and "filtering_function" in told["refused"]["said"]


@with_older_apis
async def test_agents_have_sessions_turns_and_steps(client: Running, gateway: Gateway) -> None:
    told = await client("agents", url=gateway.at(client), model=CHAT)
    inference, tool = ["step_start", "step_complete"], ["step_start", "step_complete"]
    assert told["events"] == ["turn_start", *inference, "turn_awaiting_input"]
    assert told["resumed"] == [*tool, *inference, "turn_complete"]
    assert told["call"] == ["get_weather", ["city"]] and "get_weather of Paris" in told["answer"]
    assert told["steps"] == ["inference", "tool_execution", "inference"]
    assert told["same"] and told["step"]
    assert told.get("listed", True) and told.get("sessions", True) and told.get("read", "Be brief.") == "Be brief."
    for unknown in ("step", "turn", "session", "agent"):
        error = told[f"unknown_{unknown}"]
        assert (error["type"], error["status"]) == (client.facts.not_found, 404) and unknown in error["said"]
    assert (told["not_waiting"]["type"], told["not_waiting"]["status"]) == ("ConflictError", 409)
    refused, passed = told["guarded"]
    said = refused["said"]
    assert refused == {"said": said, "steps": ["shield_call"], "found": [["error", said, "guard"]], "same": True}
    assert passed["steps"] == ["shield_call", "inference", "shield_call"] and passed["found"] == [None, None]
    assert passed["same"] and len(passed["said"].split()) == 12


@with_older_apis
async def test_an_agent_s_turn_is_written_down(client: Running, gateway: Gateway) -> None:
    told = await client("agent_classes", url=gateway.at(client), model=CHAT)
    assert told["called"] == ["get_weather", "get_time", "get_weather"], "the vendor calls one again in the second turn"
    assert "get_weather of" in told["written"] and "The tools say" in told["written"]
    assert "get_weather of" in told["again"]
    if "person" in told:
        check_person(json.loads(told["person"]), "agent")
    if "guarded" in told:
        assert "shield_call" in told["guarded"] and "violation_type" in told["guarded"], "what was found"
        assert "inference" not in told["guarded"]


@having("embeddings")
async def test_embeddings_are_the_vendors_in_each_encoding(client: Running, gateway: Gateway) -> None:
    told = await client("embeddings", url=gateway.at(client), model=EMBEDDING)
    assert told
    for form, vectors in told.items():
        assert numbers(vectors) == [pytest.approx(vector_of(text)) for text in TEXTS], form


@having("rerank")
async def test_texts_are_reranked(client: Running, gateway: Gateway) -> None:
    told = await client("rerank", url=gateway.at(client), model=RERANK)
    assert told == [[0, 1.0], [1, 0.0]]


@having("not_found")
async def test_an_unknown_model_is_its_exception_for_404(client: Running, gateway: Gateway) -> None:
    told = await client("not_found", url=gateway.at(client), model="vendor/nothing")
    assert told["type"] == client.facts.not_found and told["status"] in (404, None)
    assert "Model `vendor/nothing` is not served" in told["said"]


@having("bad_request")
async def test_a_wrong_value_is_its_exception_for_400(client: Running, gateway: Gateway) -> None:
    told = await client("bad_request", url=gateway.at(client), model=CHAT)
    assert told["type"] == client.facts.bad_request and told["status"] in (400, None)
    assert "`frequency_penalty`" in told["said"]


@having("leave")
async def test_a_stream_that_is_left_ends_at_the_vendor_too(client: Running, gateway: Gateway) -> None:
    gateway.vendor.ended_early.clear()
    gateway.vendor.gate.clear()
    try:
        assert await client("leave", url=gateway.at(client), model=CHAT) == 1
        await asyncio.wait_for(gateway.vendor.ended_early.wait(), LIMIT_S)
    finally:
        gateway.vendor.gate.set()
    assert (await client("chat", url=gateway.at(client), model=CHAT))["text"]


@having("broken")
async def test_a_stream_that_breaks_off_is_an_exception(client: Running, gateway: Gateway) -> None:
    """Never a short answer that looks whole."""
    if client.facts.is_library:
        await client("models", url=gateway.at(client))  # its own stack asks the vendor for them when it starts
    gateway.vendor.seen.clear()
    gateway.vendor.misbehaves = break_off
    try:
        told = await client("broken", url=gateway.at(client), model=CHAT)
    finally:
        gateway.vendor.misbehaves = None
    assert gateway.vendor.calls("/chat/completions")
    assert told["type"] and "`vendor`" in told["said"], told


@each_of(client for client in official_clients() if client.is_library and client.package in LLAMA_STACK)
async def test_a_stack_as_a_library_runs_on_the_callers_event_loop(client: Running, gateway: Gateway) -> None:
    told = await client("coroutines", url=gateway.at(client), model=CHAT)
    assert told["text"] == told["streamed"] and len(told["text"].split()) == 12
    assert told["refused"] == client.facts.not_found
    assert {"vendor", "reranker"} <= set(told["providers"])


@with_provider_data
async def test_a_key_of_the_callers_own_reaches_the_vendor(client: Running, gateway: Gateway) -> None:
    assert await client("own_key", url=gateway.at(client), model=CHAT, key="sk-of-the-caller") == CHAT
    assert gateway.vendor.calls("/chat/completions")[-1].headers["authorization"] == "Bearer sk-of-the-caller"
    await client("chat", url=gateway.at(client), model=CHAT)
    assert gateway.vendor.calls("/chat/completions")[-1].headers["authorization"] == "Bearer sk-configured-secret"


@with_openai_paths
async def test_the_vendor_is_asked_what_the_client_asks_and_its_answers_arrive(
    client: Running, gateway: Gateway
) -> None:
    """The same client at the vendor itself is the measure."""
    seen = gateway.vendor.seen
    for scenario in filter(client.facts.can, SAME):
        model = EMBEDDING_MODEL if scenario == "embeddings" else CHAT_MODEL
        start = len(seen)
        straight = await client(scenario, url=gateway.vendor.url.removesuffix("/v1"), model=model)
        middle = len(seen)
        assert await client(scenario, url=gateway.at(client), model=f"vendor/{model}") == straight, scenario
        asked, passed = given(seen[start:middle]), given(seen[middle:])
        assert passed == asked, scenario


@having("chat", is_library=False)
async def test_an_embedded_model_answers(client: Running, stack: Stack, text_model: str) -> None:
    whole = await client("chat", url=stack.url, model=text_model, max_tokens=6, temperature=0)
    assert whole["text"] and 0 < whole["usage"][1] <= 6
    streamed = await client("stream", url=stack.url, model=text_model, max_tokens=6, temperature=0)
    assert streamed.pop("parts") > 1
    assert streamed == whole


@having("completion", is_library=False)
async def test_an_embedded_model_completes(client: Running, stack: Stack, text_model: str) -> None:
    told = await client("completion", url=stack.url, model=text_model, temperature=0)
    assert told["whole"] and told["streamed"] == told["whole"]


@having("embeddings", is_library=False)
async def test_an_embedded_model_embeds_in_each_encoding(client: Running, stack: Stack, embedding_model: str) -> None:
    told = await client("embeddings", url=stack.url, model=embedding_model)
    for form, vectors in told.items():
        assert numbers(vectors) == [pytest.approx(vector, abs=1e-6) for vector in told["default"]], form


@each_of(client for client in official_clients() if client.id in ("langchain", "pydantic-ai", "instructor"))
async def test_an_embedded_model_keeps_to_a_type(client: Running, stack: Stack, text_model: str) -> None:
    """By a schema, and by a function that has to be called: the ways in which these clients ask for it."""
    for way, person in (await client("structured", url=stack.url, model=text_model)).items():
        check_person(person, way)
