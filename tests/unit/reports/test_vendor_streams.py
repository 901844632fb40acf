"""Streams that public reports say broke others' gateways and clients, from a vendor through our doors: see
`tests/reports.md`.
"""

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
USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
DONE = "data: [DONE]\n\n"


def bare(**facts: Any) -> str:
    """A chunk of a chat."""
    return "data: " + json.dumps({"id": "c", "object": "chat.completion.chunk", "created": 1, **facts}) + "\n\n"


def chunk(delta: Json | None, finish: str | None = None, **facts: Any) -> str:
    return bare(choices=[{"index": 0, "delta": delta, "finish_reason": finish}], **facts)


def call(id: str | None, arguments: Any, name: str | None = "f", **facts: Any) -> str:
    """A chunk with a piece of a tool call."""
    function = {"arguments": arguments} | ({} if name is None else {"name": name})
    named = {} if id is None else {"id": id, "type": "function"}
    return chunk({"tool_calls": [{**named, "function": function, **facts}]})


HEL, LO, STOP, CALLED = (
    chunk({"role": "assistant", "content": "Hel"}),
    chunk({"content": "lo"}),
    chunk({}, "stop"),
    chunk({}, "tool_calls"),
)
FILTERED = bare(choices=[], prompt_filter_results=[{"prompt_index": 0, "content_filter_results": {}}])
TEXTS = {
    "usage-in-the-middle": HEL + bare(choices=[], usage=USAGE) + LO + STOP,
    "filter-results-first": FILTERED + HEL + LO + STOP,
    "no-choices-member": HEL + LO + STOP + bare(usage=USAGE),
    "choices-null": HEL + LO + STOP + bare(choices=None, usage=USAGE),
    "delta-null": HEL + LO + chunk(None, "stop"),
    "comment-as-data": HEL + "data: : keepalive\n\n" + LO + STOP,
    "comment-as-data-first": "data: : PROCESSING\n\n" + HEL + LO + STOP,
    "empty-data": HEL + "data:\n\ndata: \n\nevent: ping\ndata:\n\n" + LO + STOP,
    "no-data": "retry: 3000\n\nid: 7\n\n" + HEL + "event: ping\n\n" + LO + STOP,
    "comments": ": PROCESSING\n\n" + HEL + ": ping\n" + LO + STOP,
    "usage-null": chunk({"content": "Hel"}, usage=None)
    + LO
    + STOP
    + bare(choices=[], usage={**USAGE, "x_details": None}),
    "null-members": chunk({"content": "Hello", "tool_calls": None, "function_call": None, "refusal": None}) + STOP,
}
CALLS = {
    "one-chunk-a-call": call("a", '{"n":1}', index=0) + call("b", '{"n":2}', index=1),
    "all-of-index-0": call("a", '{"n":1}', index=0) + call("b", '{"n":2}', index=0),
    "no-index": call("a", '{"n":1}') + call("b", '{"n":2}'),
    "arguments-null": call("a", None, index=0) + call(None, '{"n":1}', None, index=0) + call("b", '{"n":2}', index=1),
    "arguments-object": call("a", {"n": 1}, index=0) + call("b", {"n": 2}, index=1),
    "name-in-each": call("a", '{"n"', index=0) + call("a", ":1}", index=0) + call("b", '{"n":2}', index=1),
    "name-empty": call("a", '{"n"', index=0) + call("", ":1}", "", index=0) + call("b", '{"n":2}', index=1),
}


def says(upstream: Upstream, stream: str) -> None:
    """From now on the vendor answers so."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.method == "GET":
            return web.json_response({"object": "list", "data": [{"id": CHAT_MODEL, "object": "model"}]})
        begun = await started_stream(request)
        await begun.write(stream.encode())
        return begun

    upstream.misbehaves = answer


async def responded(client: Client) -> Json:
    answered = await client.post("/v1/responses", {"model": MODEL, "input": "hi", "stream": True, "store": False})
    assert answered.status == 200, answered.body
    last = events_of(answered.body)[-1]
    assert last["type"] == "response.completed", last
    response: Json = last["response"]
    return response


@pytest.mark.parametrize("end", ["stop", "no-done"])
@pytest.mark.parametrize("name", TEXTS)
async def test_a_text_is_whole_however_it_is_streamed(client: Client, upstream: Upstream, name: str, end: str) -> None:
    says(upstream, TEXTS[name] + (DONE if end == "stop" else ""))
    body = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}], "stream": True}
    chunks = (await client.post("/v1/chat/completions", body)).events()  # each event's data is JSON
    deltas = [choice["delta"] or {} for one in chunks for choice in one.get("choices") or ()]
    assert "".join(delta.get("content") or "" for delta in deltas) == "Hello"
    response = await responded(client)
    assert [item["content"][0]["text"] for item in response["output"]] == ["Hello"]


@pytest.mark.parametrize("finish", [CALLED, STOP], ids=["calls", "stop"])
@pytest.mark.parametrize("name", CALLS)
async def test_each_call_is_one_item_however_it_is_streamed(
    client: Client, upstream: Upstream, name: str, finish: str
) -> None:
    says(upstream, CALLS[name] + finish + DONE)
    items = (await responded(client))["output"]
    assert [(item["call_id"], item["name"], item["arguments"]) for item in items] == [
        ("a", "f", '{"n":1}'),
        ("b", "f", '{"n":2}'),
    ]
