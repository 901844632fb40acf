"""Characters that public reports say broke others' streams, from a vendor through our doors: see `tests/reports.md`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import web

from runtime.conformance.asgi import Client
from runtime.conformance.upstream import CHAT_MODEL, Upstream, started_stream
from tests.support.response_streams import events_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
Json = dict[str, Any]
MODEL = f"vendor/{CHAT_MODEL}"
HI = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}


def chunk(text: str | None, *, escaped: bool = True, finish: str | None = None) -> bytes:
    delta = {} if text is None else {"content": text}
    said = {"id": "c", "object": "chat.completion.chunk", "created": 1}
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return b"data: " + json.dumps(said | {"choices": choices}, ensure_ascii=escaped).encode() + b"\n\n"


def says(upstream: Upstream, *texts: str, escaped: bool = True, end: bytes = b"\n") -> None:
    """From now on the vendor answers so, streamed and whole. end: of its lines."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.method == "GET":
            return web.json_response({"object": "list", "data": [{"id": CHAT_MODEL, "object": "model"}]})
        if not (await request.json()).get("stream"):
            message = {"role": "assistant", "content": "".join(texts)}
            choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
            return web.json_response({"id": "c", "object": "chat.completion", "created": 1, "choices": choices})
        begun = await started_stream(request)
        events = [chunk(text, escaped=escaped) for text in texts] + [chunk(None, finish="stop"), b"data: [DONE]\n\n"]
        await begun.write(b"".join(events).replace(b"\n", end))
        return begun

    upstream.misbehaves = answer


async def streamed(client: Client) -> str:
    """The text of a streamed chat, which a response has too."""
    chunks = (await client.post("/v1/chat/completions", {**HI, "stream": True})).events()
    text = "".join(choice["delta"].get("content") or "" for one in chunks for choice in one["choices"])
    body = {"model": MODEL, "input": "hi", "stream": True, "store": False}
    last = events_of((await client.post("/v1/responses", body)).body)[-1]
    assert last["type"] == "response.completed", last
    assert [item["content"][0]["text"] for item in last["response"]["output"]] == [text]
    return text


@pytest.mark.parametrize("escaped", [True, False])
@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\u0085", "\x1c", "\x0b"])
async def test_what_python_takes_for_the_end_of_a_line_is_none(
    client: Client, upstream: Upstream, mark: str, escaped: bool
) -> None:
    says(upstream, f"a{mark}b", escaped=escaped)
    assert await streamed(client) == f"a{mark}b"


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
async def test_lines_end_as_the_standard_has_it(client: Client, upstream: Upstream, end: bytes) -> None:
    says(upstream, "Hel", "lo", end=end)
    assert await streamed(client) == "Hello"


HALVES = {
    "joined": (["So \ud83d", "\ude00!"], "So 😀!"),
    "alone-between": (["\ud83d", "", "\ude00"], "😀"),
    "two-characters": (["\ud83d", "\ude00\ud83d", "\ude80"], "😀🚀"),
    "first-is-lost": (["So ", "\ude00!"], "So \ufffd!"),
    "second-is-lost": (["\ud83d so", "!"], "\ufffd so!"),
    "end-is-lost": (["So", " \ud83d"], "So "),
    "whole": (["😀", "\\ud83d", "\\\\ud83d", '"\\ude00'], '😀\\ud83d\\\\ud83d"\\ude00'),
}


@pytest.mark.parametrize("name", HALVES)
async def test_halves_of_a_character_come_together(client: Client, upstream: Upstream, name: str) -> None:
    pieces, text = HALVES[name]
    says(upstream, *pieces)
    assert await streamed(client) == text


async def test_half_a_character_in_a_whole_answer_is_a_lost_one(client: Client, upstream: Upstream) -> None:
    says(upstream, "So \ud83d ", "\ude00 😀")
    answered = await client.post("/v1/chat/completions", HI)
    assert answered.json()["choices"][0]["message"]["content"] == "So \ufffd \ufffd 😀"
    response = await client.post("/v1/responses", {"model": MODEL, "input": "hi"})
    assert response.json()["output"][0]["content"][0]["text"] == "So \ufffd \ufffd 😀"
