"""What the adapter behind every OpenAI-shaped vendor makes of answers: vectors, counts, and what is no answer."""

from __future__ import annotations

import base64
import json
import math
import struct
from typing import Any

import pytest
from aiohttp import web

from runtime.conformance.asgi import Client
from runtime.conformance.upstream import CHAT_MODEL, EMBEDDING_MODEL, Upstream, started_stream
from tests.support import at_vendor

pytestmark = pytest.mark.asyncio(loop_scope="module")
upstream, client = at_vendor.upstream, at_vendor.client
CHAT = {"model": f"vendor/{CHAT_MODEL}", "messages": [{"role": "user", "content": "hi"}]}


async def test_a_body_is_sent_on_as_it_came_but_for_the_model(client: Client, upstream: Upstream) -> None:
    body = CHAT | {"unknown": [{"deep": None}], "temperature": 0.30000000000000004, "metadata": {"é": "😀"}}
    body |= {"store": True}  # without it this vendor takes no metadata
    await client.post("/v1/chat/completions", body)
    assert upstream.seen[-1].json() == body | {"model": CHAT_MODEL}


@pytest.mark.parametrize("usage", ["null", "{}", '{"tokens": 3}'])
async def test_tokens_that_a_vendor_does_not_count_are_said_to_be_none(
    client: Client, upstream: Upstream, usage: str
) -> None:
    body = f'{{"data": [{{"index": 0, "embedding": [1.0]}}], "model": "m", "usage": {usage}}}'

    async def counts_nothing(_: web.Request) -> web.StreamResponse:
        return web.json_response(text=body)

    upstream.misbehaves = counts_nothing
    answer = await client.post("/v1/embeddings", {"model": f"vendor/{EMBEDDING_MODEL}", "input": "x"})
    assert answer.json()["usage"]["prompt_tokens"] == 0
    assert answer.headers["x-llama-warnings"] == "`usage` is 0: `vendor` did not count the tokens"


def packed(*numbers: float) -> str:
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


async def embedded(
    client: Client, upstream: Upstream, vectors: list[Any] | str, encoding: str | None
) -> tuple[int, dict[str, Any]]:
    """What a caller gets of a vendor that answers with these vectors, whatever it was asked for."""
    shown = [vectors] if isinstance(vectors, str) else [json.dumps(vector) for vector in vectors]
    data = ", ".join(f'{{"index": {place}, "embedding": {vector}}}' for place, vector in enumerate(shown))
    body = f'{{"object": "list", "data": [{data}], "model": "m", "usage": {{"total_tokens": 1}}}}'

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(text=body, content_type="application/json")

    upstream.misbehaves = answer
    asked = {"model": f"vendor/{EMBEDDING_MODEL}", "input": ["a"] * len(shown), "encoding_format": encoding}
    answered = await client.post("/v1/embeddings", {k: v for k, v in asked.items() if v is not None})
    return answered.status, answered.json()


@pytest.mark.parametrize("sent_packed", [True, False])
@pytest.mark.parametrize("encoding", [None, "float", "base64"])
async def test_vectors_come_in_the_encoding_that_was_asked_for(
    client: Client, upstream: Upstream, encoding: str | None, sent_packed: bool
) -> None:
    vectors = [[0.5, -1.25], [3.0, 0.0]]
    sent = [packed(*vector) for vector in vectors] if sent_packed else vectors
    status, answer = await embedded(client, upstream, sent, encoding)
    expected = [packed(*vector) for vector in vectors] if encoding == "base64" else vectors
    assert (status, [entry["embedding"] for entry in answer["data"]]) == (200, expected)
    assert (answer["model"], answer["usage"]) == (f"vendor/{EMBEDDING_MODEL}", {"prompt_tokens": 1, "total_tokens": 1})


@pytest.mark.parametrize("encoding", ["float", "base64"])
@pytest.mark.parametrize(
    "vectors",
    [
        "[NaN, 1.0]",
        "[1.0, -Infinity]",
        [packed(1.0, math.nan)],
        [packed(math.inf, 1.0)],
        "[1.0, null]",
        "[ null]",
        ["no base64!"],
        [base64.b64encode(b"12345").decode()],
    ],
)
async def test_what_is_no_number_is_not_passed_on(
    client: Client, upstream: Upstream, encoding: str, vectors: list[Any] | str
) -> None:
    status, answer = await embedded(client, upstream, vectors, encoding)
    assert (status, answer["error"]["type"]) == (502, "upstream_error")
    assert "`vendor` answered" in answer["error"]["message"]


@pytest.mark.parametrize("vectors", ["[1e400]", [[10**400]], [["1.0"]], [[1e300]]])
async def test_numbers_that_cannot_be_packed_are_named(
    client: Client, upstream: Upstream, vectors: list[Any] | str
) -> None:
    status, answer = await embedded(client, upstream, vectors, "base64")
    assert (status, "`vendor` answered a vector" in answer["error"]["message"]) == (502, True)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("answer", [{"hello": "world"}, {"error": {"message": "overloaded"}}])
async def test_what_is_no_answer_is_a_502_that_quotes_it(
    client: Client, upstream: Upstream, answer: dict[str, Any], stream: bool
) -> None:
    async def something_else(_: web.Request) -> web.StreamResponse:
        return web.json_response(answer)

    upstream.misbehaves = something_else
    answers = [await client.post("/v1/chat/completions", {**CHAT, "stream": stream})]
    answers.append(await client.post("/v1/embeddings", {"model": f"vendor/{EMBEDDING_MODEL}", "input": "a"}))
    for answered in answers:
        assert answered.status == 502
        assert "world" in answered.error["message"] or "overloaded" in answered.error["message"]


@pytest.mark.parametrize(("options", "events"), [({}, 1), ({"stream_options": {"include_usage": True}}, 2)])
async def test_usage_of_a_whole_answer_in_place_of_a_stream_comes_when_asked_for(
    client: Client, upstream: Upstream, options: dict[str, Any], events: int
) -> None:
    message = {"role": "assistant", "content": "hi"}
    whole = {
        "object": "chat.completion", "usage": {"total_tokens": 3}, "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    }  # fmt: skip

    async def does_not_stream(_: web.Request) -> web.StreamResponse:
        return web.json_response(whole)

    upstream.misbehaves = does_not_stream
    answered = await client.post("/v1/chat/completions", {**CHAT, **options, "stream": True})
    assert answered.payloads()[-1] == "[DONE]"
    assert len(answered.payloads()) == events + 1


async def test_a_chat_whose_stream_breaks_off_ends_without_done(client: Client, upstream: Upstream) -> None:
    async def breaks_off(request: web.Request) -> web.StreamResponse:
        answer = await started_stream(request)
        await answer.write(b'data: {"model":"m","choices":[{"delta":{"content":"half"},"finish_reason":null}]}\n\n')
        return answer

    upstream.misbehaves = breaks_off
    answered = await client.post("/v1/chat/completions", {**CHAT, "stream": True})
    half, failed = answered.payloads()
    assert json.loads(half)["model"] == f"vendor/{CHAT_MODEL}"
    assert json.loads(failed)["error"]["code"] == "upstream_incomplete"
    assert "`vendor` broke off" in json.loads(failed)["error"]["message"]
