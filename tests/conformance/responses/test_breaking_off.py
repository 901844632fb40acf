"""Responses that do not come to their end: their provider fails, their caller leaves, their store is gone."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web

from runtime.conformance.asgi import LIMIT_S
from runtime.conformance.upstream import refusal, started_stream
from runtime.conformance.upstream.scripted import Said, calls, says
from tests.conformance.responses.asking import MODEL, WEATHER, Asking, kinds, texts
from tests.support.response_streams import check_types

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    ("breaks", "reason"), [("error", "the engine is overloaded"), ("cut", "`vendor`")], ids=["error", "cut"]
)
async def test_a_provider_that_fails_in_the_middle_fails_the_response(asking: Asking, breaks: Any, reason: str) -> None:
    asking.says(says("Once ", "upon", breaks=breaks))
    events = await asking.streamed()
    failed = events[-1]["response"]
    assert kinds(events)[-1] == "failed" and failed["status"] == "failed"
    assert failed["error"]["code"] == "server_error" and reason in failed["error"]["message"]
    assert texts(failed) == ["Once upon"] and failed["output"][0]["status"] == "incomplete"
    kept = await asking.kept(failed["id"])
    assert {name: kept[name] for name in failed} == failed


async def test_a_provider_that_fails_within_a_call_leaves_what_came_of_it(asking: Asking) -> None:
    asking.says(calls(("call_1", "get_weather", '{"city"'), breaks="error"))
    failed = (await asking.streamed(tools=[WEATHER]))[-1]["response"]
    [item] = failed["output"]
    assert (failed["status"], item["arguments"], item["status"]) == ("failed", '{"city"', "incomplete")


async def test_a_call_that_names_no_function_fails_the_response(asking: Asking) -> None:
    asking.says(Said(deltas=[{"content": "See."}, {"tool_calls": [{"index": 0, "id": "call_1"}]}]))
    failed = (await asking.streamed(tools=[WEATHER]))[-1]["response"]
    assert failed["error"]["message"] == "The model called a tool without naming it"
    assert texts(failed) == ["See."]


@pytest.mark.parametrize("delta", [{"content": 5}, {"content": {"text": "Hi"}}, {"refusal": 5}, {"tool_calls": [None]}])
async def test_a_piece_that_makes_no_sense_fails_the_response(asking: Asking, delta: Any) -> None:
    """Every event before that is as it should be."""
    asking.says(Said(deltas=[{"content": "See."}, delta], whole={"role": "assistant", "content": "See."}))
    failed = (await asking.streamed(tools=[WEATHER]))[-1]["response"]
    assert failed["status"] == "failed"
    words = failed["error"]["message"]
    assert words.startswith("The model's answer makes no sense: ") and "object" not in words


@pytest.mark.parametrize("background", [False, True])
async def test_a_piece_that_is_nested_too_deeply_fails_the_response(asking: Asking, background: bool) -> None:
    async def deep(request: web.Request) -> web.StreamResponse:
        answer = await started_stream(request)
        nested = b"[" * 100_000 + b"]" * 100_000
        await answer.write(b'data: {"choices": [{"index": 0, "delta": {"x": %b}}]}\n\n' % nested)
        await answer.write(b"data: [DONE]\n\n")
        return answer

    asking.vendor.misbehaves = deep
    failed = (await asking.streamed(background=background))[-1]["response"]
    assert failed["status"] == "failed" and "makes no sense" in failed["error"]["message"]
    kept = await asking.kept(failed["id"])
    assert {name: kept[name] for name in failed} == failed


@pytest.mark.parametrize("streams", [False, True])
async def test_an_answer_without_a_choice_fails_the_response(asking: Asking, streams: bool) -> None:
    async def nothing(request: web.Request) -> web.StreamResponse:
        if not (await request.json()).get("stream"):
            return web.json_response({"id": "c", "object": "chat.completion", "choices": []})
        answer = await started_stream(request)
        await answer.write(b"data: [DONE]\n\n")
        return answer

    asking.vendor.misbehaves = nothing
    failed = (await asking.streamed())[-1]["response"] if streams else await asking.whole()
    assert failed["status"] == "failed" and "without a choice" in failed["error"]["message"]


@pytest.mark.parametrize("usage", [[1], {"prompt_tokens": "many"}])
async def test_token_counts_that_make_no_sense_fail_the_response(asking: Asking, usage: Any) -> None:
    _, failed = await asking.both(says("See.", usage=usage))
    assert failed["status"] == "failed" and "makes no sense" in failed["error"]["message"]


async def test_what_fails_before_it_begins_has_its_own_status_and_is_not_kept(asking: Asking) -> None:
    before = (await asking.client.get("/v1/responses")).json()["data"]

    async def busy(request: Any) -> Any:
        return refusal(429, "slow down", headers={"retry-after": "7"})

    asking.vendor.misbehaves = busy
    for streams in (False, True):
        answered = await asking.client.post("/v1/responses", {"model": MODEL, "input": "Hi", "stream": streams})
        assert answered.status == 429 and "slow down" in answered.error["message"]
    assert (await asking.client.get("/v1/responses")).json()["data"] == before


async def test_a_failed_response_can_be_continued(asking: Asking) -> None:
    asking.says(says("Once ", "upon", breaks="error"))
    failed = (await asking.streamed("Tell"))[-1]["response"]
    script = asking.says(says("a time"))
    await asking.whole("Go on", previous_response_id=failed["id"])
    assert [message["content"] for message in script.asked[0]["messages"]] == ["Tell", "Once upon", "Go on"]


async def test_a_caller_that_leaves_ends_the_provider_and_can_go_on_later(asking: Asking) -> None:
    asking.vendor.gate.clear()
    asking.vendor.ended_early.clear()
    body = json.dumps({"model": MODEL, "input": "Tell", "stream": True, "reasoning": {"effort": "low"}}).encode()
    call = asking.client.call("POST", "/v1/responses", headers={"content-type": "application/json"}, body=body)
    await call.start()
    first = await call.chunk()
    assert first is not None
    created = json.loads(first.split(b"\n")[1].removeprefix(b"data: "))["response"]
    async with asyncio.timeout(LIMIT_S):
        await asking.vendor.waiting_at_gate.wait()
    assert (await asking.kept(created["id"]))["status"] == "in_progress"
    answered = await asking.client.post("/v1/responses", {"model": MODEL, "previous_response_id": created["id"]})
    assert answered.status == 400 and "`in_progress`" in answered.error["message"]

    await call.leave()
    async with asyncio.timeout(LIMIT_S):
        await asking.vendor.ended_early.wait()
    kept = await asking.kept(created["id"])
    assert kept["status"] == "incomplete" and kept["incomplete_details"] == {"reason": "interrupted"}
    asking.vendor.gate.set()
    again = await asking.whole("Go on", previous_response_id=created["id"])
    assert again["status"] == "completed"


@pytest.mark.parametrize("background", [False, True])
async def test_a_server_that_stops_ends_a_stream_with_an_error_event(asking: Asking, background: bool) -> None:
    asking.says(says("Once ", "upon", breaks="wait"))
    # What looks like a number of an event, and is the caller's own.
    tool = {**WEATHER, "parameters": {"type": "object", "x-note": {"sequence_number": 900}}}
    asked = {"model": MODEL, "input": "Tell", "stream": True, "background": background, "tools": [tool]}
    body = json.dumps(asked).encode()
    call = asking.client.call("POST", "/v1/responses", headers={"content-type": "application/json"}, body=body)
    await call.start()
    told = b""
    async with asyncio.timeout(LIMIT_S):
        while b'"delta":"upon"' not in told:
            told += await call.chunk() or b""
        assert asking.client.app.ongoing.end("the server is stopping") == 1
        told += await call.rest()
    *before, last = told.decode().removesuffix("\n\n").split("\n\n")
    name, _, data = last.partition("\n")
    error = json.loads(data.removeprefix("data: "))
    assert name == "event: error" and error["sequence_number"] == len(before)
    assert (error["code"], error["message"]) == ("server_stopping", "the server is stopping")
    check_types(error)
    created = json.loads(before[0].split("\n")[1].removeprefix("data: "))["response"]
    if background:
        await asking.client.post(f"/v1/responses/{created['id']}/cancel")
    else:
        assert (await asking.kept(created["id"]))["status"] == "incomplete"


async def test_what_had_come_before_the_caller_left_is_kept(asking: Asking) -> None:
    """The text so far, though its item was never ended."""
    asking.says(says("Once ", "upon", breaks="wait"))
    body = json.dumps({"model": MODEL, "input": "Tell", "stream": True}).encode()
    call = asking.client.call("POST", "/v1/responses", headers={"content-type": "application/json"}, body=body)
    await call.start()
    text = b""
    async with asyncio.timeout(LIMIT_S):
        while b'"delta":"upon"' not in text:
            text += await call.chunk() or b""
    created = json.loads(text.split(b"\n")[1].removeprefix(b"data: "))["response"]
    await call.leave()
    kept = await asking.kept(created["id"])
    assert texts(kept) == ["Once upon"] and kept["output"][0]["status"] == "incomplete"
