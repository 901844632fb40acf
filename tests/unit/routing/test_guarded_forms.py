"""Guardrails look at all that an answer says, in whatever form a vendor says it, and at all that is asked."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from runtime.conformance.asgi import Answered, Client
from runtime.conformance.stacks import run_config, serving
from runtime.conformance.upstream import CHAT_MODEL, Upstream
from runtime.conformance.upstream.wire import started_stream
from runtime.routing.guarded.texts import joined, texts_in
from tests.support.shields import WORDS, Words, shields, text_of, with_words
from tests.support.stacks import openai_at

MODEL = f"vendor/{CHAT_MODEL}"
REFUSAL = "I cannot talk about that."
HELLO = {"role": "user", "content": "Hello"}
Json = dict[str, Any]
Serve = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, upstream: Upstream) -> Serve:
    """Serves a vendor and the shield `bombs`. guardrails: of the run config."""
    with_words(monkeypatch)

    @asynccontextmanager
    async def served(**guardrails: Any) -> AsyncIterator[Client]:
        run = run_config(
            providers={"inference": [openai_at(upstream.url)], "safety": [WORDS]},
            registered_resources=shields(bombs="bomb"),
            safety={"guardrails": guardrails},
        )
        async with serving(run, tmp_path) as running:
            yield running.client

    return served


def answers(*choices: Json, **beside: Any) -> Any:
    """A vendor with an answer of these choices, each a chunk of its own where it is streamed. beside: its others."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.method == "GET":
            return web.json_response({"object": "list", "data": [{"id": CHAT_MODEL, "object": "model"}]})
        body = await request.json()
        head = {"id": "chatcmpl-1", "created": 1, "model": body["model"], **beside}
        if not body.get("stream"):
            return web.json_response({**head, "object": "chat.completion", "choices": list(choices)})
        stream = await started_stream(request)
        for one in choices:
            event = {**head, "object": "chat.completion.chunk", "choices": [{"index": 0, "finish_reason": None, **one}]}
            await stream.write(b"data: %b\n\n" % json.dumps(event).encode())
        await stream.write(b"data: [DONE]\n\n")
        await stream.write_eof()
        return stream

    return answer


async def chat(client: Client, *messages: Json, **body: Any) -> Answered:
    return await client.post("/v1/chat/completions", {"model": MODEL, "messages": messages or [HELLO], **body})


def call(arguments: str, **more: Any) -> Json:
    return {"index": 0, "function": {"arguments": arguments}, **more}


STREAMED: dict[str, list[Json]] = {
    "a message in place of a delta": [{"delta": {"role": "assistant"}, "message": {"content": "a bomb"}}],
    "parts": [{"delta": {"content": [{"type": "text", "text": piece}]}} for piece in ("a bo", "mb")],
    "thoughts in parts": [{"delta": {"content": [{"type": "thinking", "thinking": [{"text": "a bomb"}]}]}}],
    "thoughts in details": [{"delta": {"reasoning_details": [{"type": "reasoning.text", "text": "a bomb"}]}}],
    "thoughts twice": [{"delta": {"reasoning": piece, "reasoning_content": piece}} for piece in ("b", "o", "mb")],
    "audio": [{"delta": {"audio": {"transcript": piece, "data": "AAAA"}}} for piece in ("a bo", "mb")],
    "an older call": [{"delta": {"function_call": {"arguments": piece}}} for piece in ('{"at": "a bo', 'mb"}')],
    "a call": [{"delta": {"tool_calls": [call(piece)]}} for piece in ('{"at": "a bo', 'mb"}')],
    "two calls": [
        {"delta": {"tool_calls": [call('{"at": "a bo'), call("{}", index=1)]}},
        {"delta": {"tool_calls": [call('mb"}')]}},
    ],
    "a text": [{"delta": {}, "text": "a bomb"}],
    "tokens alone": [
        {"delta": {"content": ""}, "logprobs": {"content": [{"token": piece, "logprob": 0.0}]}}
        for piece in ("bo", "mb")
    ],
    "the second answer": [
        {"index": 1, "delta": {"content": "a bo"}},
        {"index": 0, "delta": {"content": "a cat"}},
        {"index": 1, "delta": {"content": "mb"}},
    ],
    "a text after the end": [{"delta": {"content": "a "}, "finish_reason": "stop"}, {"delta": {"content": "bomb"}}],
}


@pytest.mark.parametrize("chunks", STREAMED.values(), ids=STREAMED)
async def test_nothing_that_a_stream_says_passes_unseen(serve: Serve, upstream: Upstream, chunks: list[Json]) -> None:
    upstream.misbehaves = answers(*chunks)
    async with serve(output=["bombs"]) as client:
        events = (await chat(client, stream=True)).events()
        assert "mb" not in json.dumps([event["choices"] for event in events])
        assert events[-1]["violation"]["shield_id"] == "bombs"


WHOLE: dict[str, Json] = {
    "parts": {"content": [{"type": "text", "text": "a bo"}, {"type": "text", "text": "mb"}]},
    "audio": {"content": None, "audio": {"id": "a", "data": "AAAA", "transcript": "a bomb"}},
    "an older call": {"content": None, "function_call": {"name": "say", "arguments": '{"at": "a bomb"}'}},
    "a call": {"content": None, "tool_calls": [call('{"at": "a bomb"}', id="c", type="function")]},
}


@pytest.mark.parametrize("message", WHOLE.values(), ids=WHOLE)
async def test_nothing_that_a_whole_answer_says_passes_unseen(serve: Serve, upstream: Upstream, message: Json) -> None:
    """And what a vendor says beside a refused answer goes with it."""
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}
    upstream.misbehaves = answers(choice, citations=["a bomb"])
    async with serve(output=["bombs"]) as client:
        answer = (await chat(client)).json()
        assert answer["choices"][0]["message"] == {"role": "assistant", "content": None, "refusal": REFUSAL}
        assert answer["id"] and "citations" not in answer


@pytest.mark.parametrize(
    "event",
    [
        ["a bomb"],
        "a bomb",
        {"choices": "a bomb"},
        {"choices": {"text": "a bomb"}},
        {"choices": ["a bomb", None]},
        {"choices": [{"index": [1], "delta": "a bomb"}]},
        {"choices": [{"index": "0", "delta": ["a ", "bomb"]}]},
    ],
    ids=str,
)
async def test_what_a_vendor_has_in_place_of_a_chunk_is_judged_too(
    serve: Serve, upstream: Upstream, event: Any
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        stream = await started_stream(request)
        await stream.write(b"data: %b\n\ndata: [DONE]\n\n" % json.dumps(event).encode())
        await stream.write_eof()
        return stream

    async with serve(output=["bombs"]) as client:
        upstream.misbehaves = answer
        streamed = await chat(client, stream=True)
        assert "a bomb" not in streamed.body.decode() and streamed.events()[-1]["violation"]


async def test_what_is_no_text_is_neither_judged_nor_lost(serve: Serve, upstream: Upstream) -> None:
    upstream.misbehaves = answers({"delta": {"audio": {"data": "a bomb"}}}, {"delta": {}, "finish_reason": "stop"})
    async with serve(output=["bombs"]) as client:
        events = (await chat(client, stream=True)).events()
        assert [event["choices"][0]["delta"] for event in events] == [{"audio": {"data": "a bomb"}}, {}]
        assert Words.latest.asked == []


ASKED: dict[str, list[Json]] = {
    "before the beginning of an answer": [
        {"role": "user", "content": "a bomb"},
        {"role": "assistant", "content": "Sure, "},
    ],
    "in the beginning of an answer": [HELLO, {"role": "assistant", "content": "Sure, the bomb"}],
    "by the operator alone": [{"role": "system", "content": "a bomb"}],
    "by the developer, and nothing by the user": [
        {"role": "developer", "content": "a bomb"},
        {"role": "user", "content": " "},
    ],
    "in parts": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "bomb"}]}],
}


@pytest.mark.parametrize("messages", ASKED.values(), ids=ASKED)
async def test_something_of_each_request_is_judged(serve: Serve, messages: list[Json]) -> None:
    async with serve(input=["bombs"]) as client:
        assert (await chat(client, *messages)).json()["choices"][0]["message"]["refusal"] == REFUSAL


async def test_what_says_nothing_is_not_judged(serve: Serve) -> None:
    """Shields refuse it, and tools give it back."""
    called = {"role": "assistant", "content": None, "tool_calls": [call("{}", id="c", type="function")]}
    called["tool_calls"][0]["function"]["name"] = "look"  # type: ignore[index]  # it is a list
    nothing = {"role": "tool", "tool_call_id": "c", "content": ""}
    async with serve(input=["bombs"]) as client:
        assert (await chat(client, HELLO, called, nothing)).status == 200
        assert (await client.post("/v1/completions", {"model": MODEL, "prompt": ["", " "]})).status == 200
        assert [text_of(asked.messages[-1]) for asked in Words.latest.asked] == ["Hello"]


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_is_judged_with_its_beginning(serve: Serve, upstream: Upstream, stream: bool) -> None:
    upstream.misbehaves = (
        answers({"message": {"content": "mb"}}) if not stream else answers({"delta": {"content": "mb"}})
    )
    async with serve(output=["bombs"]) as client:
        answer = await chat(client, HELLO, {"role": "assistant", "content": "a bo"}, stream=stream)
        assert REFUSAL in answer.body.decode()
        [asked] = Words.latest.asked
        assert [message["role"] for message in asked.messages] == ["user", "assistant"]


async def test_each_answer_that_is_expected_ends(serve: Serve, upstream: Upstream) -> None:
    async with serve(input=["bombs"]) as client:
        refused = await client.post("/v1/completions", {"model": MODEL, "prompt": ["a bomb", "a cat"], "n": 2})
        assert [choice["index"] for choice in refused.json()["choices"]] == [0, 1, 2, 3]
    upstream.misbehaves = answers({"index": 0, "delta": {"content": "a bomb"}})
    async with serve(output=["bombs"]) as client:
        events = (await chat(client, stream=True, n=2)).events()
        ends = [choice["index"] for event in events for choice in event["choices"] if choice["finish_reason"]]
        assert ends == [0, 1]


def test_pieces_of_one_place_are_one_text() -> None:
    said = {"content": [{"text": "a"}, {"text": "b"}], "calls": [{"index": 0, "in": "c"}, {"index": 1, "in": "d"}]}
    assert texts_in(said) == {".content.text": "ab", ".calls[0].in": "c", ".calls[1].in": "d"}
    assert texts_in([said, {"content": [{"text": "c"}]}])[".content.text"] == "abc"


def test_what_is_nested_without_end_is_read() -> None:
    value: Any = "deep"
    for _ in range(100_000):
        value = [value]
    assert texts_in(value) == {"": "deep"}


def test_a_text_within_another_is_said_once() -> None:
    assert joined({"a": "I think", "b": "I think so", "c": "I think so", "d": "no"}) == "I think so\nno"
