"""Spans that are alike share what they have in common, and tell the same as one that shares nothing."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

import pytest

from runtime.access import EVERYBODY
from runtime.apis.inference import API as INFERENCE
from runtime.apis.inference.protocol import ChatCompletionRequest
from runtime.errors import RateLimited
from runtime.sse import DONE, EventStream, Frames, Reply
from runtime.telemetry import conventions as names
from runtime.telemetry.attempts import end_attempt
from runtime.telemetry.calls import TracedCalls
from runtime.telemetry.requests import begin_request, end_request
from runtime.telemetry.spans import Span, begin, inside
from tests.unit.telemetry._seen import Seen

USAGE = {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17}
MESSAGES = [{"role": "user", "content": "hi"}]


class Model:
    """Answers, as a stream where that is asked for. error: in place of an answer. fails: whether a stream fails after
    it. id: in place of its own.
    """

    def __init__(self) -> None:
        self.answers = 0
        self.error: Exception | None = None
        self.fails = False
        self.id = b""

    async def chat_completion(self, request: Any) -> Any:
        self.answers += 1
        if self.error is not None:
            raise self.error
        said: dict[str, Any] = {"id": f"chatcmpl-{self.answers}", "model": "m-0613", "usage": USAGE}
        choices = [{"index": 0, "finish_reason": "stop"}]
        whole = Reply.of({**said, "choices": choices})
        if self.id:
            whole = Reply(whole.data.replace(said["id"].encode(), self.id))
        if not request.stream:
            return whole

        async def frames() -> AsyncGenerator[Frames, None]:
            yield Frames(b"data: " + whole.data + b"\n\n")
            if self.fails:
                raise RateLimited("slower", code="slow")
            yield Frames(DONE)

        return EventStream(frames(), close)


async def close() -> None:
    """Nothing is held."""


async def chat(seen: Seen, door: Any, **asked: Any) -> Span:
    """The span of a chat."""
    with inside(seen.begin()):
        answer = await door.chat_completion(ChatCompletionRequest(model="m", messages=MESSAGES, **asked))
        if isinstance(answer, EventStream):
            async for _ in answer:
                pass
    return seen.spans[-1]


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
def door(model: Model) -> Any:
    return TracedCalls(INFERENCE, "groq", "remote::groq", is_remote=True).door(model)


@pytest.mark.parametrize("streams", [False, True])
async def test_what_calls_have_in_common_is_said_once(door: Any, streams: bool) -> None:
    seen = Seen()
    first, second, other = [await chat(seen, door, temperature=one, stream=streams) for one in (0.5, 0.5, 0.7)]
    assert first.shape is second.shape is not None
    assert other.shape not in (None, first.shape)
    assert first.shape is not None and {first.shape.name, first.name, other.name} == {"chat m"}
    common = {
        names.API: "inference",
        names.API_OPERATION: "chat_completion",
        names.PROVIDER_ID: "groq",
        names.PROVIDER_TYPE: "remote::groq",
        names.PROVIDER: "groq",
        names.OPERATION: "chat",
        names.REQUEST_MODEL: "m",
        names.RESPONSE_MODEL: "m-0613",
        names.FINISH_REASONS: ["stop"],
        names.TEMPERATURE: 0.5,
    }
    assert first.shape.attributes == common | ({names.STREAM: True} if streams else {})
    own = {names.RESPONSE_ID: "chatcmpl-2", names.INPUT_TOKENS: 12, names.OUTPUT_TOKENS: 5}
    assert {name: value for name, value in second.own.items() if name != names.FIRST_CHUNK_S} == own
    assert (names.FIRST_CHUNK_S in second.own) is streams
    assert second.attributes == {**first.shape.attributes, **second.own}


@pytest.mark.parametrize("asked", [{"stop": ["a"]}, {"top_k": 5, "more": {"a": 1}}])
async def test_what_cannot_be_looked_up_is_told_by_itself(door: Any, asked: dict[str, Any]) -> None:
    seen = Seen()
    span, usual = await chat(seen, door, **asked), await chat(seen, door)
    assert span.shape is None and span.own == span.attributes
    told = {names.STOP: ["a"]} if "stop" in asked else {names.TOP_K: 5}
    assert span.attributes == usual.attributes | told | {names.RESPONSE_ID: "chatcmpl-1"}


@pytest.mark.parametrize("streams", [False, True])
async def test_what_has_failed_is_told_by_itself(door: Any, model: Model, streams: bool) -> None:
    seen = Seen()
    await chat(seen, door, stream=streams)
    model.error = RateLimited("slower", code="slow")
    with pytest.raises(RateLimited):
        await chat(seen, door, stream=streams)
    failed = next(span for span in seen.spans if span.error)
    assert (failed.shape, failed.error, failed.name) == (None, "slow", "chat m")
    assert failed.attributes[names.REQUEST_MODEL] == "m"


async def test_what_was_noted_meanwhile_is_its_own(door: Any) -> None:
    seen = Seen()
    with inside(seen.begin()):
        span = begin("POST", {}, "client")
        assert span is not None
        span.attributes["noted"] = 1
        end_attempt(span, "POST", "http://there/v1", 200)
    assert span.attributes["noted"] == 1 and span.attributes[names.SERVER_ADDRESS] == "there"


def requested(seen: Seen, path: str, route: str | None, status: int = 200) -> Span:
    span = begin_request(seen, "req_1", EVERYBODY, None)
    end_request(span, "GET", path, "http", route, status, 0.26, 0.0004)
    return span


def test_requests_of_a_route_that_end_alike_have_one_shape() -> None:
    seen = Seen()
    first, second, failed, unknown = (
        requested(seen, "/v1/models/a", "/v1/models/{model_id}"),
        requested(seen, "/v1/models/b", "/v1/models/{model_id}"),
        requested(seen, "/v1/models/a", "/v1/models/{model_id}", 500),
        requested(seen, "/none", None, 404),
    )
    assert first.shape is second.shape is not None
    assert second.attributes == {
        names.METHOD: "GET",
        names.URL_PATH: "/v1/models/b",
        names.URL_SCHEME: "http",
        names.ROUTE: "/v1/models/{model_id}",
        names.STATUS: 200,
        names.REQUEST_ID: "req_1",
        names.OVERHEAD_MS: 0.3,
        names.WAITED_MS: 0.4,
    }
    assert failed.shape is None
    assert failed.attributes == first.attributes | {names.STATUS: 500}
    assert (unknown.name, unknown.attributes[names.URL_PATH]) == ("GET", "/none")
    assert names.ROUTE not in unknown.attributes


def test_attempts_at_a_server_have_one_shape() -> None:
    seen = Seen()
    with inside(seen.begin()):
        spans = [begin("POST", {}, "client") for _ in range(3)]
    for span, status in zip(spans, (200, 200, 503), strict=True):
        assert span is not None
        end_attempt(span, "POST", "https://there/v1/chat?key=secret", status)
    first, second, failed = seen.spans
    assert first.shape is second.shape is not None and failed.shape is None
    common = {names.METHOD: "POST", names.SERVER_ADDRESS: "there", names.SERVER_PORT: 443}
    assert (first.own, first.attributes) == ({}, common | {names.STATUS: 200})
    assert failed.attributes == common | {names.STATUS: 503}


def test_attempts_at_other_paths_of_a_server_have_the_same_shape() -> None:
    seen = Seen()
    with inside(seen.begin()):
        spans = [begin("GET", {}, "client") for _ in range(3)]
    for span, url in zip(
        spans, ("http://there:1/v1/1?key=secret", "http://there:1/v1/2", "http://there:1"), strict=True
    ):
        assert span is not None
        end_attempt(span, "GET", url, 200)
    assert len({span.shape for span in seen.spans[:2]}) == 1
    assert {(span.attributes[names.SERVER_ADDRESS], span.attributes[names.SERVER_PORT]) for span in seen.spans} == {
        ("there", 1)
    }


async def test_nothing_long_is_kept_to_find_a_shape_by(door: Any) -> None:
    seen = Seen()
    span = await chat(seen, door, stop="x" * 100_000)
    assert span.shape is None and span.attributes[names.STOP] == ["x" * 100]


@pytest.mark.parametrize("fails", [False, True])
async def test_a_stream_that_is_read_on_after_its_end_is_told_once(door: Any, model: Model, fails: bool) -> None:
    seen = Seen()
    model.fails = fails
    with inside(seen.begin()):
        stream = await door.chat_completion(ChatCompletionRequest(model="m", messages=MESSAGES, stream=True))
        for _ in range(2):
            with suppress(RateLimited):
                async for _ in stream:
                    pass
    [span] = seen.spans
    assert (span.name, span.attributes[names.INPUT_TOKENS], span.error) == ("chat m", 12, "slow" if fails else "")


@pytest.mark.parametrize("streams", [False, True])
async def test_an_answer_that_is_no_text_costs_no_other_fact(door: Any, model: Model, streams: bool) -> None:
    seen = Seen()
    model.id = b"\xff"
    span = await chat(seen, door, stream=streams)
    assert (span.name, span.attributes[names.PROVIDER_ID]) == ("chat m", "groq")
