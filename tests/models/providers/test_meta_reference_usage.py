"""What an answer of our engine says about itself: cached tokens, times, its place in the line."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from runtime.apis.inference.protocol import ChatCompletionRequest
from runtime.conformance.asgi import Client
from runtime.conformance.stacks import run_config, serving
from runtime.context import RequestContext
from runtime.context import serving as serving_request
from runtime.engine.scheduling.scheduler import IDLE_PRIORITY
from runtime.engine.text.text_stream import TextOutput, Timing
from runtime.errors import RequestError
from runtime.providers.inference.meta_reference.requests import place_in_line
from runtime.providers.inference.meta_reference.usage import Usage
from tests.support.tiny_model import write_tiny_chat_model

pytestmark_module = pytest.mark.asyncio(loop_scope="module")
PROMPT = "hello " * 40  # more than two pages of 32 tokens
LLAMA_CPP = {"cache_n", "queue_ms"} | {
    f"{part}_{what}" for part in ("prompt", "predicted") for what in ("n", "ms", "per_token_ms", "per_second")
}


# Counting


def ended(usage: Usage, choice: int, tokens: int, **timing: float) -> None:
    times = Timing(**{"cached_tokens": 0, "waited_s": 0.0, "prompt_s": 0.0, "rest_s": 0.0, **timing})  # type: ignore[arg-type]
    output = TextOutput(text="", finish_reason="stop", prompt_tokens=10, completion_tokens=tokens, timing=times)
    usage.add(choice, output)


def test_rates_are_of_the_tokens_that_the_time_was_spent_on() -> None:
    usage = Usage(prompt_tokens=110)
    assert usage.timings() is None
    ended(usage, 0, 41, cached_tokens=10, waited_s=0.25, prompt_s=0.5, rest_s=2.0)
    assert usage.timings() == {
        "cache_n": 10,
        "prompt_n": 100,
        "prompt_ms": 500.0,
        "prompt_per_token_ms": 5.0,
        "prompt_per_second": 200.0,
        "predicted_n": 41,
        "predicted_ms": 2000.0,
        "predicted_per_token_ms": 50.0,
        "predicted_per_second": 20.0,
        "queue_ms": 250.0,
    }
    assert usage.json()["prompt_tokens_details"] == {"cached_tokens": 10}


def test_answers_together_take_as_long_as_the_slowest_and_share_their_prompt() -> None:
    """Two prompts with two answers each: what a second answer finds is what the first has computed."""
    usage = Usage(prompt_tokens=60, each=2)
    ended(usage, 0, 11, cached_tokens=4, prompt_s=0.4, rest_s=1.0)
    ended(usage, 1, 11, cached_tokens=28, prompt_s=0.1, rest_s=3.0)
    ended(usage, 2, 11, cached_tokens=29, prompt_s=0.1, rest_s=1.0)
    ended(usage, 3, 11, cached_tokens=8, prompt_s=0.4, rest_s=1.0)
    timings = usage.timings()
    assert timings is not None
    assert (timings["cache_n"], timings["prompt_n"], timings["prompt_ms"]) == (12, 48, 400.0)
    assert (timings["predicted_n"], timings["predicted_ms"]) == (44, 3000.0)
    assert timings["predicted_per_second"] == pytest.approx(40 / 3, abs=1e-3)


def test_one_token_has_no_rate() -> None:
    usage = Usage(prompt_tokens=3)
    ended(usage, 0, 1, prompt_s=0.1)
    timings = usage.timings()
    assert timings is not None
    assert (timings["predicted_per_second"], timings["predicted_per_token_ms"]) == (0.0, 0.0)


# A place in the line


def chat(**fields: Any) -> ChatCompletionRequest:
    return ChatCompletionRequest.model_validate(
        {"model": "m", "messages": [{"role": "user", "content": "hi"}], **fields}
    )


def test_a_place_in_the_line_is_of_the_request_s_choice() -> None:
    assert place_in_line(chat()) == {"priority": 0, "cache_salt": ""}
    assert place_in_line(chat(priority=-3, cache_salt="mine")) == {"priority": -3, "cache_salt": "mine"}


def test_what_nobody_waits_for_comes_after_everything_else() -> None:
    with serving_request(RequestContext(in_background=True)):
        first, last = (place_in_line(chat(priority=number))["priority"] for number in (-1000, 1000))
    assert IDLE_PRIORITY <= first < last


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"priority": "first"}, "priority"),
        ({"priority": 1.5}, "priority"),
        ({"priority": True}, "priority"),
        ({"priority": 1001}, "priority"),
        ({"cache_salt": 5}, "cache_salt"),
    ],
)
def test_a_place_of_another_kind_is_refused(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as refused:
        place_in_line(chat(**fields))
    assert refused.value.param == param


# With a model


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    folder = tmp_path_factory.mktemp("tiny")
    model = write_tiny_chat_model(folder / "Tiny", context_length=512)
    config = {"model": str(model), "device": "cpu", "dtype": "float32", "threads": 1}
    provider = {"provider_id": "llama", "provider_type": "inline::meta-reference", "config": config}
    async with serving(run_config(provider), folder) as served:
        yield served.client


def body(**fields: Any) -> dict[str, Any]:
    return {"model": "llama/Tiny", "prompt": PROMPT, "temperature": 0, "max_tokens": 4, "ignore_eos": True, **fields}


@pytestmark_module
async def test_a_prompt_that_comes_again_is_cached_and_says_so(client: Client) -> None:
    first, again = [(await client.post("/v1/completions", body(cache_salt="a"))).json() for _ in range(2)]
    assert first["choices"][0]["text"] == again["choices"][0]["text"]
    length = first["usage"]["prompt_tokens"]
    cached = [one["usage"]["prompt_tokens_details"]["cached_tokens"] for one in (first, again)]
    assert cached == [0, (length - 1) // 8 * 8]
    for one, found in zip((first, again), cached, strict=True):
        assert one["timings"].keys() == LLAMA_CPP
        assert (one["timings"]["cache_n"], one["timings"]["prompt_n"]) == (found, length - found)
        assert one["timings"]["predicted_n"] == one["usage"]["completion_tokens"] == 4
        assert one["timings"]["prompt_per_second"] > 0


@pytestmark_module
async def test_several_answers_read_their_prompt_once(client: Client) -> None:
    answer = (await client.post("/v1/completions", body(n=3, cache_salt="b"))).json()
    assert answer["usage"]["prompt_tokens_details"] == {"cached_tokens": 0}
    assert answer["timings"]["prompt_n"] == answer["usage"]["prompt_tokens"]
    assert answer["timings"]["predicted_n"] == 12


@pytestmark_module
@pytest.mark.parametrize("wants_usage", [False, True])
@pytest.mark.parametrize("answers", [1, 2])
async def test_a_stream_ends_with_its_times(client: Client, wants_usage: bool, answers: int) -> None:
    fields = {
        "model": "llama/Tiny", "messages": [{"role": "user", "content": "hi"}], "stream": True, "max_tokens": 3,
        "n": answers, "stream_options": {"include_usage": wants_usage},
    }  # fmt: skip
    answer = await client.post("/v1/chat/completions", fields)
    *chunks, last = answer.events()
    assert last["timings"].keys() == LLAMA_CPP
    assert last["timings"]["predicted_n"] >= answers
    assert not any("timings" in chunk for chunk in chunks)
    assert ("usage" in last) is wants_usage
    assert bool(last["choices"]) is not wants_usage


@pytestmark_module
async def test_what_the_engine_counts_stands_in_its_provider_s_health(client: Client) -> None:
    await client.post("/v1/completions", body())
    found = (await client.get("/v1/providers/llama?api=inference")).json()
    figures = found["health"]["metrics"]["Tiny"]
    assert figures["generated_tokens"] > 0
    assert figures["time_to_first_token_p50_s"] > 0
    assert (figures["running"], figures["kv_use"]) == (0, 0)
