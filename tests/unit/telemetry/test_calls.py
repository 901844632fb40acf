"""A provider's calls as spans: whole answers, streams that end in every way, and what lies below."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from runtime.apis.inference import API as INFERENCE
from runtime.apis.inference.protocol import ChatCompletionRequest, EmbeddingsRequest
from runtime.apis.responses import API as RESPONSES
from runtime.apis.responses.request import CreateResponseRequest
from runtime.errors import RateLimited
from runtime.sse import DONE, EventStream, Frames, Reply
from runtime.telemetry.calls import TracedCalls
from runtime.telemetry.spans import begin, current_span, inside
from tests.unit.telemetry._seen import Seen

USAGE = {
    "prompt_tokens": 12,
    "completion_tokens": 5,
    "total_tokens": 17,
    "prompt_tokens_details": {"cached_tokens": 8},
    "completion_tokens_details": {"reasoning_tokens": 2},
}
CHAT = ChatCompletionRequest(
    model="m", messages=[{"role": "user", "content": "hi"}], temperature=0.5, max_tokens=7, stop=["a"], seed=3, n=2
)


def chunk(**members: Any) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "model": "m-0613", "choices": [], "usage": None, **members}


def passing(name: str) -> None:
    """Something that is over at once."""
    span = begin(name, {})
    assert span is not None
    span.end()


class Model:
    """A provider. frames: what it streams, and an error that it ends with."""

    def __init__(self, *frames: Frames, error: Exception | None = None) -> None:
        self.frames = frames
        self.error = error
        self.closed = 0

    async def chat_completion(self, request: Any) -> Any:
        passing("below")
        if not request.stream:
            if self.error:
                raise self.error
            choices = [{"index": 0, "message": {"content": "x"}, "finish_reason": "stop"}]
            return Reply.of({"id": "chatcmpl-1", "model": "m-0613", "choices": choices, "usage": USAGE})

        async def frames() -> AsyncGenerator[Frames, None]:
            for one in self.frames:
                yield one
            if self.error:
                raise self.error

        async def close() -> None:
            self.closed += 1

        return EventStream(frames(), close)

    async def embeddings(self, request: Any) -> Reply:
        return Reply.of({"model": "e", "data": [], "usage": {"prompt_tokens": 4, "total_tokens": 4}})


def traced(model: Model) -> Any:
    return TracedCalls(INFERENCE, "groq", "remote::groq", is_remote=True).door(model)


async def test_a_chat_tells_what_was_asked_and_what_it_took() -> None:
    seen = Seen()
    with inside(seen.begin()) as request:
        assert isinstance(await traced(Model()).chat_completion(CHAT), Reply)
    below, chat = seen.spans
    assert request is not None
    assert (chat.parent_id, below.parent_id, chat.trace.id) == (request.id, chat.id, request.trace.id)
    assert (chat.name, chat.kind, chat.error) == ("chat m", "client", "")
    assert chat.attributes == {
        "llama_stack.api": "inference",
        "llama_stack.operation": "chat_completion",
        "llama_stack.provider.id": "groq",
        "llama_stack.provider.type": "remote::groq",
        "gen_ai.provider.name": "groq",
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "m",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 7,
        "gen_ai.request.stop_sequences": ["a"],
        "gen_ai.request.seed": 3,
        "gen_ai.request.choice.count": 2,
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.model": "m-0613",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.cache_read.input_tokens": 8,
        "gen_ai.usage.reasoning.output_tokens": 2,
    }


async def test_without_a_trace_nothing_is_looked_at() -> None:
    model = Model()
    door = TracedCalls(INFERENCE, "groq", "remote::groq", is_remote=True).door(model)
    answer = await door.embeddings(EmbeddingsRequest(model="e", input="x"))
    assert isinstance(answer, Reply) and current_span() is None


async def test_embeddings_have_tokens_that_go_in() -> None:
    seen = Seen()
    with inside(seen.begin()):
        await traced(Model()).embeddings(EmbeddingsRequest(model="e", input="x", dimensions=8))
    [span] = seen.spans
    assert span.name == "embeddings e"
    assert span.attributes["gen_ai.usage.input_tokens"] == 4
    assert span.attributes["gen_ai.embeddings.dimension.count"] == 8
    assert "gen_ai.usage.output_tokens" not in span.attributes


async def test_a_refusal_is_told() -> None:
    seen = Seen()
    with inside(seen.begin()), pytest.raises(RateLimited):
        await traced(Model(error=RateLimited("slow down"))).chat_completion(CHAT)
    span = seen.spans[-1]
    assert (span.name, span.error, span.message) == ("chat m", "rate_limit_exceeded", "slow down")


STREAMED = CHAT.changed(stream=True)
WHOLE = (
    Frames.of(chunk(choices=[{"index": 0, "delta": {"content": "a"}, "finish_reason": None}])),
    *(Frames.of(chunk(choices=[{"index": 0, "delta": {"content": "b"}}])) for _ in range(9)),
    Frames.of(chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "length"}])),
    Frames.of(chunk(usage=USAGE)),
    Frames(DONE),
)


@pytest.mark.parametrize("reads", [WHOLE, (Frames(b"".join(one.data for one in WHOLE)),)], ids=["apart", "at once"])
async def test_a_stream_ends_its_span_when_it_is_over(reads: tuple[Frames, ...]) -> None:
    seen = Seen()
    with inside(seen.begin()):
        stream = await traced(Model(*reads)).chat_completion(STREAMED)
    assert seen.names == ["below"]
    assert [one.data async for one in stream] == [one.data for one in reads]
    chat = seen.spans[-1]
    assert (chat.name, chat.error) == ("chat m", "")
    facts = chat.attributes
    assert facts["gen_ai.response.finish_reasons"] == ["length"]
    assert (facts["gen_ai.usage.input_tokens"], facts["gen_ai.usage.output_tokens"]) == (12, 5)
    first = facts["gen_ai.response.time_to_first_chunk"]
    assert isinstance(first, float) and chat.ended is not None and 0 <= first <= chat.ended - chat.began
    await stream.aclose()
    assert seen.names == ["below", "chat m"]


async def test_a_stream_that_is_left_or_fails_says_so() -> None:
    seen = Seen()
    left, failing = Model(*WHOLE), Model(*WHOLE[:2], error=ValueError("secret words"))
    with inside(seen.begin()):
        stream = await traced(left).chat_completion(STREAMED)
        await anext(stream)
        await stream.aclose()
        assert (left.closed, seen.spans[-1].error) == (1, "cancelled")
        unread = await traced(left).chat_completion(STREAMED)
        await unread.aclose()
        assert (left.closed, seen.spans[-1].error) == (2, "cancelled")
        stream = await traced(failing).chat_completion(STREAMED)
        with pytest.raises(ValueError, match="secret"):
            async for _ in stream:
                pass
    span = seen.spans[-1]
    assert (span.error, span.message) == ("ValueError", "")  # the words of an error that is not ours are nobody's
    assert len({id(one) for one in seen.spans}) == len(seen.spans)


async def test_what_a_stream_of_models_leads_to_belongs_to_it() -> None:
    class Turns:
        async def create_response(self, request: Any) -> AsyncGenerator[int, None]:
            async def events() -> AsyncGenerator[int, None]:
                for number in range(2):
                    passing(f"step {number}")
                    yield number

            return events()

    seen = Seen()
    door = TracedCalls(RESPONSES, "builtin", "inline::builtin", is_remote=False).door(Turns())
    with inside(seen.begin()) as request:
        events = await door.create_response(CreateResponseRequest(model="m"))
        found = []
        async for number in events:
            assert current_span() is request  # what its reader does is not its own
            found.append(number)
    assert found == [0, 1]
    *steps, response = seen.spans
    assert [span.parent_id for span in steps] == [response.id] * 2
    assert (response.name, response.kind) == ("invoke_agent", "internal")


async def test_calls_beside_each_other_each_have_their_own() -> None:
    seen = Seen()
    door = traced(Model())
    with inside(seen.begin()):
        await asyncio.gather(*(door.chat_completion(CHAT) for _ in range(5)))
    below = [span for span in seen.spans if span.name == "below"]
    assert sorted(str(span.parent_id) for span in below) == sorted(
        span.id for span in seen.spans if span.name == "chat m"
    )
