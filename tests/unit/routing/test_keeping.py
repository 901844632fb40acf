"""Which answers are kept, what is on disk before their end leaves, and what is said when they cannot be."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from runtime.apis.inference.protocol import ChatCompletionRequest
from runtime.apis.inference.stored import StoredCompletionsRequest
from runtime.conformance.asgi import Answered, Client
from runtime.conformance.stacks import Served, run_config
from runtime.conformance.upstream import CHAT_MODEL, Upstream, started_stream
from runtime.sse import EventStream, Reply
from tests.support.stacks import openai_at, serving

CHAT = "/v1/chat/completions"
FILE = "sql_store.db"


def config(upstream: Upstream, **settings: Any) -> Any:
    storage = {
        "backends": {"kv_default": {"type": "kv_memory"}, "sql_default": {"type": "sql_sqlite", "db_path": FILE}},
        "stores": {"inference": {"backend": "sql_default", **settings}},
    }
    return run_config(openai_at(upstream.url), storage=storage)


@pytest_asyncio.fixture
async def served(upstream: Upstream, tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(config(upstream), tmp_path) as running:
        yield running


@pytest.fixture
def client(served: Served) -> Client:
    return served.client


def body(**fields: Any) -> dict[str, Any]:
    return {"model": f"vendor/{CHAT_MODEL}", "messages": [{"role": "user", "content": "Name colours"}]} | fields


async def ids(client: Client) -> list[str]:
    return [one["id"] for one in (await client.get(f"{CHAT}?limit=100")).json()["data"]]


def database(folder: Path) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(folder / FILE, isolation_level=None))


def is_on_disk(folder: Path, words: str) -> bool:
    return any(words.encode() in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def without_refusals(answer: dict[str, Any]) -> None:
    """The local vendor's whole answers say that nothing is refused, its streams do not mention it."""
    for choice in answer["choices"]:
        assert choice["message"].pop("refusal") is None


@pytest.mark.parametrize("more", [{}, {"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}])
async def test_what_was_answered_is_kept_with_what_was_asked(client: Client, more: dict[str, Any]) -> None:
    fields = {"temperature": 0.5, "seed": 7, "user": "ann", "metadata": {"a": "b"}, "n": 2, "logprobs": True, **more}
    answered = await client.post(CHAT, body(**fields))
    assert answered.status == 200 and "x-llama-warnings" not in answered.headers
    whole = (await client.post(CHAT, body(**{**fields, "stream": None, "stream_options": None, "store": False}))).json()
    [id] = await ids(client)
    assert {event["id"] for event in answered.events()} == {id} if more else answered.json()["id"] == id
    found = (await client.get(f"{CHAT}/{id}")).json()
    if more:
        without_refusals(whole)
        if "stream_options" not in more:
            del whole["usage"]  # nobody asked for it
    assert found == {
        **whole,
        "id": id,
        "request_id": answered.headers["x-request-id"],
        "input_messages": body()["messages"],
        "metadata": {"a": "b"},
        "temperature": 0.5,
        "seed": 7,
        "input_user": "ann",
        **dict.fromkeys(("top_p", "presence_penalty", "frequency_penalty", "tools", "tool_choice", "response_format")),
    }
    assert (await client.get(CHAT)).json()["data"] == [found]


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_that_is_not_to_be_kept_leaves_nothing_behind(
    served: Served, tmp_path: Path, stream: bool
) -> None:
    secret = "the word is xyzzy-9321"
    messages = [{"role": "user", "content": secret}]
    answered = await served.client.post(
        CHAT, body(messages=messages, store=False, stream=stream, metadata={"m": secret})
    )
    assert answered.status == 200 and await ids(served.client) == []
    await served.client.post(CHAT, body())
    assert is_on_disk(tmp_path, "Name colours") and not is_on_disk(tmp_path, "xyzzy-9321")


async def test_a_vendor_s_id_is_replaced_only_where_an_answer_is_kept(client: Client) -> None:
    """The local vendor has one id for all answers."""
    assert (await client.post(CHAT, body(store=False))).json()["id"] == "chatcmpl-1"
    answers = [(await client.post(CHAT, body())).json()["id"] for _ in range(3)]
    assert len({*answers}) == 3 and answers == await ids(client)


async def test_a_run_config_can_keep_nothing(upstream: Upstream, tmp_path: Path) -> None:
    async with serving(config(upstream), tmp_path) as served:
        await served.client.post(CHAT, body())
        earlier = await ids(served.client)
    async with serving(config(upstream, enabled=False), tmp_path) as served:
        silent = await served.client.post(CHAT, body())
        asked = await served.client.post(CHAT, body(store=True, stream=True))
        assert "x-llama-warnings" not in silent.headers
        assert asked.headers["x-llama-warnings"].startswith("`store` has no effect")
        assert await ids(served.client) == earlier  # what was kept before stays readable


async def test_a_call_in_process_is_kept_only_if_it_says_so(served: Served) -> None:
    inference = served.stack.api("inference")
    for store in (None, False, True):
        request = ChatCompletionRequest.model_validate(body(store=store, x_unknown=1))
        assert isinstance(await inference.chat_completion(request), Reply)
    page = (await inference.list_chat_completions(StoredCompletionsRequest())).value()
    assert len(page["data"]) == 1 and page["data"][0]["input_messages"] == body()["messages"]


async def test_a_request_with_what_json_does_not_have_is_readable(served: Served) -> None:
    """Our engine leaves such fields out; a remote provider refuses them."""
    with database(served.stack._state_dir) as file:
        await served.client.post(CHAT, body(metadata={"a": "b"}))
        odd = body(x=[float("nan"), float("inf"), 10**40, 0.5])
        file.execute("UPDATE inference_store SET request = ?", (json.dumps(odd).encode(),))
        [row] = (await served.client.get(CHAT)).json()["data"]
        assert row["input_messages"] == body()["messages"]


# When it is written


async def test_the_row_is_there_before_the_stream_s_end_and_no_token_waits_for_it(
    served: Served, tmp_path: Path
) -> None:
    with database(tmp_path) as other:
        other.execute("BEGIN IMMEDIATE")  # now nobody else can write
        call = served.client.call("POST", CHAT, body=json.dumps(body(stream=True)).encode())
        await call.start()
        data = b""
        while b'"finish_reason":"stop"' not in data.replace(b" ", b""):
            data += await call.chunk() or b""
        end = asyncio.create_task(call.chunk())
        await until_waiting(served, 1)
        assert not end.done()
        other.execute("ROLLBACK")
        assert await end == b"data: [DONE]\n\n"
        assert other.execute("SELECT count(*) FROM inference_store").fetchone() == (1,)
    await call.task


async def until_waiting(served: Served, count: int) -> None:
    """Until so many rows wait to be written."""
    async with asyncio.timeout(20):
        while served.stack.api("inference")._keeper._rows != count:
            await asyncio.sleep(0)


@pytest.mark.parametrize("stream", [True, False])
async def test_when_too_many_wait_the_next_is_answered_and_says_that_it_is_not_kept(
    upstream: Upstream, tmp_path: Path, stream: bool
) -> None:
    async with serving(config(upstream, max_write_queue_size=1), tmp_path) as served:
        with database(tmp_path) as other:
            other.execute("BEGIN IMMEDIATE")
            first = asyncio.create_task(served.client.post(CHAT, body()))
            await until_waiting(served, 1)
            second = await served.client.post(CHAT, body(stream=stream))
            assert "not kept: too many" in second.headers["x-llama-warnings"]
            assert second.events() if stream else second.json()["choices"]
            other.execute("ROLLBACK")
        answered = await first
        assert "x-llama-warnings" not in answered.headers
        assert await ids(served.client) == [answered.json()["id"]]


async def test_streams_that_ended_when_too_many_waited_say_so_at_their_end(upstream: Upstream, tmp_path: Path) -> None:
    async with serving(config(upstream, max_write_queue_size=2), tmp_path) as served:
        calls = [served.client.call("POST", CHAT, body=json.dumps(body(stream=True)).encode()) for _ in range(5)]
        with database(tmp_path) as other:
            other.execute("BEGIN IMMEDIATE")
            for call in calls:
                await call.start()
            ends = [asyncio.create_task(call.rest()) for call in calls]
            told = []
            for end in asyncio.as_completed(ends, timeout=20):
                told.append(b": the answer was not kept: too many" in await end)
                if len(told) == 3:  # the others wait
                    other.execute("ROLLBACK")
        assert told == [True] * 3 + [False] * 2
        assert len(await ids(served.client)) == 2


async def test_what_waits_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch, served: Served, tmp_path: Path) -> None:
    monkeypatch.setattr("runtime.routing.keeping.MOST_WAITING_BYTES", 1000)
    with database(tmp_path) as other:
        other.execute("BEGIN IMMEDIATE")
        alone = asyncio.create_task(served.client.post(CHAT, body(user="u" * 2000)))  # larger than all may be together
        await until_waiting(served, 1)
        refused = await served.client.post(CHAT, body())
        assert "not kept: too many" in refused.headers["x-llama-warnings"]
        other.execute("ROLLBACK")
    answered = await alone
    assert await ids(served.client) == [answered.json()["id"]]


@pytest.mark.parametrize("stream", [True, False])
async def test_without_a_database_the_answer_comes_and_says_that_it_is_not_kept(
    served: Served, tmp_path: Path, caplog: pytest.LogCaptureFixture, stream: bool
) -> None:
    with database(tmp_path) as other:
        other.execute("DROP TABLE inference_store")
    answered = await served.client.post(CHAT, body(stream=stream))
    assert answered.status == 200
    if stream:
        comment = answered.body.split(b"\n\n")[-3].decode()
        assert comment.startswith(": the answer was not kept: ") and "no such table" in comment
        assert answered.events()
    else:
        assert "no such table" in answered.headers["x-llama-warnings"]
        assert answered.json()["choices"]
    [said] = [record for record in caplog.records if record.message == "chat completion not kept"]
    assert said.levelno == logging.ERROR and "no such table" in said.__dict__["reason"]
    assert (await served.client.get(CHAT)).status == 503


# Streams that do not end well


async def broken(request: web.Request) -> web.StreamResponse:
    answer = await started_stream(request)
    await answer.write(b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"half"}}]}\n\n')
    return answer


async def unreadable(request: web.Request) -> web.StreamResponse:
    answer = await started_stream(request)
    await answer.write(b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n')
    await answer.write(b'data: {"id":"1","choices":[7]}\n\ndata: [DONE]\n\n')
    return answer


async def test_an_answer_that_broke_off_is_not_kept(client: Client, upstream: Upstream) -> None:
    upstream.misbehaves = broken
    answered = await client.post(CHAT, body(stream=True))
    assert b"half" in answered.body and b"[DONE]" not in answered.body
    assert await ids(client) == []


async def test_an_answer_that_cannot_be_read_is_passed_on_and_not_kept(client: Client, upstream: Upstream) -> None:
    upstream.misbehaves = unreadable
    answered = await client.post(CHAT, body(stream=True))
    assert (
        b"\n\n: the answer was not kept: its chunks make none, as the server's log says\n\ndata: [DONE]\n\n"
        in answered.body
    )
    assert await ids(client) == []


async def test_an_answer_that_was_left_in_the_middle_is_not_kept(client: Client, upstream: Upstream) -> None:
    upstream.gate.clear()
    call = client.call("POST", CHAT, body=json.dumps(body(stream=True)).encode())
    await call.start()
    await call.chunk()
    await call.leave()
    assert await ids(client) == []


async def finished_and_open(request: web.Request) -> web.StreamResponse:
    answer = await started_stream(request)
    await answer.write(b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n')
    await asyncio.Event().wait()
    return answer


async def test_an_answer_that_was_left_when_all_of_it_had_come_is_kept(client: Client, upstream: Upstream) -> None:
    """As programs do that stop reading at the finish reason."""
    upstream.misbehaves = finished_and_open
    call = client.call("POST", CHAT, body=json.dumps(body(stream=True)).encode())
    await call.start()
    first = json.loads((await call.chunk() or b"").removeprefix(b"data: "))
    await call.leave()
    assert await ids(client) == [first["id"]]


async def test_a_stream_that_nobody_reads_is_not_kept(served: Served) -> None:
    request = ChatCompletionRequest.model_validate(body(store=True, stream=True))
    stream = await served.stack.api("inference").chat_completion(request)
    assert isinstance(stream, EventStream)
    await stream.aclose()
    assert await ids(served.client) == []


async def test_tools_and_thoughts_of_a_stream_are_kept_whole(client: Client) -> None:
    function = {"name": "add", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}}
    fields = {"tools": [{"type": "function", "function": function}], "reasoning_effort": "low"}
    answers: list[Answered] = [await client.post(CHAT, body(**fields, stream=stream)) for stream in (True, False)]
    streamed, whole = (await client.get(CHAT)).json()["data"]
    assert whole["choices"] == answers[1].json()["choices"]
    assert whole["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "add"
    without_refusals(whole)
    assert streamed["choices"] == whole["choices"]
    assert streamed["tools"] == fields["tools"]
