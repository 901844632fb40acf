"""Whole answers that public reports say broke others' gateways and clients, from a vendor through our doors: see
`tests/reports.md`.
"""

from __future__ import annotations

import base64
import struct
from typing import Any

import pytest
from aiohttp import web

from runtime.conformance.asgi import Answered, Client
from runtime.conformance.upstream import CHAT_MODEL, EMBEDDING_MODEL, Upstream

pytestmark = pytest.mark.asyncio(loop_scope="module")
Json = dict[str, Any]
TWO_TEXTS = ["a", "b"]


def says(upstream: Upstream, answer: Any, *, status: int = 200) -> None:
    """From now on the vendor answers so."""

    async def say(request: web.Request) -> web.StreamResponse:
        if request.method == "GET":
            listed = [{"id": name, "object": "model"} for name in (CHAT_MODEL, EMBEDDING_MODEL)]
            return web.json_response({"object": "list", "data": listed})
        return web.json_response(answer, status=status)

    upstream.misbehaves = say


async def embedded(client: Client, **fields: Any) -> Answered:
    return await client.post("/v1/embeddings", {"model": f"vendor/{EMBEDDING_MODEL}", **fields})


def vectors(*entries: Json) -> Json:
    return {"object": "list", "data": [*entries], "usage": {"prompt_tokens": 2, "total_tokens": 2}}


@pytest.mark.parametrize("encoding", ["float", "base64"])
@pytest.mark.parametrize(
    "entries",
    [
        [{"index": 1, "embedding": [2.0]}, {"index": 0, "embedding": [1.0]}],
        [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [2.0]}],
        [{"embedding": [1.0]}, {"embedding": [2.0]}],
    ],
    ids=["other-order", "in-order", "no-index"],
)
async def test_vectors_come_in_the_order_of_their_texts(
    client: Client, upstream: Upstream, entries: list[Json], encoding: str
) -> None:
    says(upstream, vectors(*entries))
    data = (await embedded(client, input=TWO_TEXTS, encoding_format=encoding)).json()["data"]
    found = [entry["embedding"] for entry in data]
    if encoding == "base64":
        found = [[*struct.unpack("<f", base64.b64decode(vector))] for vector in found]
    assert found == [[1.0], [2.0]] and [entry["index"] for entry in data] == [0, 1]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (vectors(), "0 vectors for 2 texts"),
        (vectors({"index": 0, "embedding": [1.0]}), "1 vectors for 2 texts"),
        ({"object": "list", "data": None}, "no list of objects as `data`"),
        (vectors({"index": 0, "embedding": [1.0]}, {"index": 0, "embedding": [1.0]}), "whose `index` is not that"),
        (vectors({"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": None}), "an entry without a vector"),
        (vectors({"index": 0, "embedding": [1.0]}, {"index": 1, "object": "embedding"}), "an entry without a vector"),
    ],
)
async def test_a_success_without_a_vector_for_each_text_is_the_vendor_s_failure(
    client: Client, upstream: Upstream, answer: Json, words: str
) -> None:
    says(upstream, answer)
    answered = await embedded(client, input=TWO_TEXTS)
    assert answered.status == 502 and words in answered.error["message"]


async def test_numbers_become_base64_where_the_vendor_does_not_know_it(client: Client, upstream: Upstream) -> None:
    says(upstream, vectors({"index": 0, "embedding": [0.5, 0.25]}))
    answered = await embedded(client, input="a", encoding_format="base64")
    vector = base64.b64decode(answered.json()["data"][0]["embedding"])
    assert struct.unpack("<2f", vector) == (0.5, 0.25)


@pytest.mark.parametrize(
    "details", [{}, {"prompt_tokens_details": None}, {"prompt_tokens_details": {"cached_tokens": None}}]
)
async def test_token_counts_of_a_response_are_whole(client: Client, upstream: Upstream, details: Json) -> None:
    counts = {"prompt_tokens": 7.0, "completion_tokens": 5.92, "total_tokens": 12.92, **details}
    message = {"role": "assistant", "content": "Hello"}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    says(upstream, {"id": "c", "object": "chat.completion", "created": 1, "choices": choices, "usage": counts})
    usage = (await client.post("/v1/responses", {"model": f"vendor/{CHAT_MODEL}", "input": "hi"})).json()["usage"]
    found = [usage[name] for name in ("input_tokens", "output_tokens", "total_tokens")]
    assert found == [7, 5, 12] and all(type(count) is int for count in found)


CHAT = {"model": f"vendor/{CHAT_MODEL}", "messages": [{"role": "user", "content": "hi"}]}
BROKEN = {"index": 0, "finish_reason": "error", "message": {"role": "assistant", "content": ""}}


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        ({"error": {"message": "no endpoints found", "code": 404}}, 404, "no endpoints found"),
        ({"error": {"message": "too many", "code": 429}}, 429, "too many"),
        ({"id": "c", "choices": None, "error": {"message": "boom", "code": 502}}, 502, "boom"),
        ({"id": "c", "choices": [{**BROKEN, "error": {"message": "is down", "code": 502}}]}, 502, "is down"),
        ({"error": "busy"}, 502, "busy"),
        ({}, 502, "no list of objects as `choices`"),
    ],
)
async def test_an_error_in_a_success_is_an_error(
    client: Client, upstream: Upstream, answer: Json, status: int, words: str
) -> None:
    says(upstream, answer)
    for path, body in (("chat/completions", CHAT), ("responses", {"model": CHAT["model"], "input": "hi"})):
        answered = await client.post(f"/v1/{path}", body)
        assert answered.status == status and words in answered.error["message"], answered.body


async def test_an_error_that_is_in_a_list_is_told_in_its_words(client: Client, upstream: Upstream) -> None:
    error = {"code": 400, "message": "a call is missing its signature", "status": "INVALID_ARGUMENT"}
    says(upstream, [{"error": error}], status=400)
    answered = await client.post("/v1/chat/completions", CHAT)
    assert (answered.status, answered.error["code"]) == (400, "INVALID_ARGUMENT")
    assert answered.error["message"] == "`vendor` answered 400: a call is missing its signature"


@pytest.mark.parametrize("number", ["-Infinity", "NaN"])
@pytest.mark.parametrize("streams", [False, True])
async def test_a_number_that_json_does_not_have_is_the_vendor_s_failure(
    client: Client, upstream: Upstream, number: str, streams: bool
) -> None:
    logprobs = {"content": [{"token": "Hi", "logprob": float(number), "bytes": None, "top_logprobs": []}]}
    message = {"role": "assistant", "content": "Hi"}
    says(upstream, {"choices": [{"index": 0, "message": message, "logprobs": logprobs, "finish_reason": "stop"}]})
    answered = await client.post("/v1/chat/completions", {**CHAT, "logprobs": True, "stream": streams})
    assert answered.status == 502 and number in answered.error["message"]


@pytest.mark.parametrize(("input", "count"), [([1, 2, 3], 1), ([[1, 2], [3]], 2)])
async def test_token_ids_are_texts_too(client: Client, upstream: Upstream, input: list[Any], count: int) -> None:
    says(upstream, vectors(*({"index": place, "embedding": [1.0]} for place in range(count))))
    answered = await embedded(client, input=input)
    assert answered.status == 200 and len(answered.json()["data"]) == count
    assert [seen.json()["input"] for seen in upstream.calls("/embeddings")] == [input]
