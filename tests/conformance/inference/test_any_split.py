"""A vendor's stream, split at any byte: what a client gets is the same."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.apis.inference.protocol import ChatCompletionRequest
from runtime.conformance.contexts import provider_context
from runtime.discovery import load
from runtime.http.client import HttpClient
from runtime.http.timeouts import Timeouts
from runtime.http.transport import Exchange, Outgoing
from runtime.routing.inference import _with_name
from runtime.sse import EventStream
from tests.conformance.inference.at_vendor import SPECS
from tests.conformance.inference.vendor import vendor_of
from tests.conformance.inference.vendors._messages_form import events_of, message_of
from tests.conformance.inference.vendors.anthropic import Anthropic

REQUEST = {
    "model": "small-chat", "messages": [{"role": "user", "content": "Say JSON."}], "max_tokens": 30, "n": 1,
    "stream": True, "stream_options": {"include_usage": True}, "reasoning_effort": "high",
}  # fmt: skip
USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}


class InPieces:
    """A transport, and the answer that it has to each request: these pieces."""

    status = 200
    headers: Mapping[str, str] = {"content-type": "text/event-stream"}
    proxy = ""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    async def send(self, request: Outgoing, timeouts: Timeouts) -> Exchange:
        return self

    async def read(self) -> bytes:
        return b"".join(self.pieces)

    async def chunks(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece

    async def close(self) -> None:
        pass


def answered(name: str, *, newline: str, compact: bool) -> bytes:
    """What the vendor streams to `REQUEST`, with its token counts wherever they may be."""
    separators = (",", ":") if compact else (", ", ": ")
    upstream = vendor_of(SPECS[name]).make()
    answer = upstream.endpoints()["/chat/completions"](REQUEST, upstream.habits)
    if isinstance(upstream, Anthropic):
        named = [(f"event: {event['type']}{newline}", event) for event in events_of(message_of(answer.whole))]
        end = []
    else:
        named = [("", {**event, "usage": {**USAGE, "completion_tokens": 1}}) for event in answer.events]
        named.append(("", {**answer.head, "choices": [], "usage": USAGE}))
        end = ["data: [DONE]"]
    lines = [f"{name}data: {json.dumps(event, separators=separators)}" for name, event in named]
    return "".join(f"{line}{newline}{newline}" for line in [": comment", *lines, *end]).encode()


@pytest.mark.parametrize(
    "name", ["openai", "mistral", "together", "groq", "nvidia", "openrouter", "deepinfra", "anthropic"]
)
@pytest.mark.parametrize("compact", [True, False])
def test_a_stream_split_at_any_byte_is_the_same(name: str, compact: bool) -> None:
    spec, transport = SPECS[name], InPieces()
    config = load(spec.config or "", package=spec.module)(base_url="http://vendor.test/v1")
    http = HttpClient("acme", transport=transport)
    adapter = load(spec.adapter, package=spec.module)(config, provider_context(spec, http=http, key="sk-x"))

    async def received(pieces: list[bytes]) -> list[Any]:
        transport.pieces = pieces
        request = ChatCompletionRequest.model_validate(REQUEST)
        stream = _with_name(await adapter.chat_completion(request), "ours")
        assert isinstance(stream, EventStream)
        return [event | {"created": 1} async for frames in stream for event in frames.events()]

    with asyncio.Runner() as runner:
        bytewise = runner.run(received([bytes([one]) for one in answered(name, newline="\n", compact=compact)]))
        assert {event["model"] for event in bytewise} == {"ours"}
        deltas = [choice["delta"] for event in bytewise for choice in event["choices"]]
        assert any(delta.get("content") for delta in deltas)
        assert any(delta.get("reasoning_content") for delta in deltas)

        @settings(max_examples=25)
        @given(newline=st.sampled_from(["\n", "\r\n", "\r"]), cuts=st.lists(st.integers(0, 4000), max_size=12))
        def check(newline: str, cuts: list[int]) -> None:
            data = answered(name, newline=newline, compact=compact)
            places = sorted({0, *(cut for cut in cuts if cut < len(data)), len(data)})
            pieces = [data[begin:end] for begin, end in itertools.pairwise(places)]
            assert runner.run(received(pieces)) == bytewise

        check()
