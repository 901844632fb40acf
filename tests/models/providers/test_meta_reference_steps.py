"""What a trace tells of an answer of our engine: its tokens, asked for or not, and the steps of each choice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.apis.inference.protocol import ChatCompletionRequest
from runtime.conformance.stacks import Served, adapter_of, run_config, serving
from runtime.telemetry.spans import Span, inside
from tests.support.tiny_model import write_tiny_chat_model
from tests.unit.telemetry._seen import Exported, Seen

pytestmark_module = pytest.mark.asyncio(loop_scope="module")
TELEMETRY = {"telemetry": [{"provider_id": "builtin", "provider_type": "inline::builtin"}]}
STEPS = ["queue", "prefill", "decode"]
TOKENS = ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", "gen_ai.usage.cache_read.input_tokens")


def providers(model: str, **config: Any) -> dict[str, Any]:
    chosen = {"model": model, "device": "cpu", "threads": 1, **config}
    return {"inference": [{"provider_id": "llama", "provider_type": "inline::meta-reference", "config": chosen}]}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    folder = tmp_path_factory.mktemp("tiny")
    model = write_tiny_chat_model(folder / "Tiny", context_length=512)
    run = run_config(providers=providers(str(model), dtype="float32") | TELEMETRY)
    async with serving(run, folder) as served:
        yield served


def chat(**fields: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": "hello " * 40}]
    return {"model": "llama/Tiny", "messages": messages, "max_tokens": 4, "ignore_eos": True, **fields}


async def told(served: Served, **fields: Any) -> tuple[Span, list[Span], bytes]:
    """What is told of a chat, its steps in their order, and the answer."""
    exported = await Exported.of(served.stack)
    answer = await served.client.post("/v1/chat/completions", fields)
    assert answer.status == 200, answer.body
    *steps, model, _ = await exported.spans()
    assert model.name.startswith("chat ") and {span.parent_id for span in steps} == {model.id}
    return model, steps, answer.body


def check(model: Span, steps: list[Span]) -> None:
    """They follow each other, within the call."""
    times = [(span.began, span.ended or 0.0) for span in steps]
    assert [span.name for span in steps] == STEPS
    assert all(before[1] == pytest.approx(after[0]) for before, after in pairwise(times))
    assert model.ended is not None and model.began <= times[0][0] and times[-1][1] <= model.ended


@pytestmark_module
@pytest.mark.parametrize("streams", [False, True])
async def test_an_answer_waits_reads_and_writes(served: Served, streams: bool) -> None:
    first, _, _ = await told(served, **chat(stream=streams, cache_salt=f"{streams}"))
    model, steps, body = await told(served, **chat(stream=streams, cache_salt=f"{streams}"))
    check(model, steps)
    asked, answered, cached = (model.attributes[name] for name in TOKENS)
    assert (asked, answered) == (first.attributes[TOKENS[0]], 4)
    assert isinstance(cached, int) and cached > 0 == first.attributes[TOKENS[2]]
    queue, prefill, decode = (span.attributes for span in steps)
    assert queue == {}
    assert prefill == {"llama_stack.engine.tokens": asked, "llama_stack.engine.cached_tokens": cached}
    assert decode["llama_stack.engine.tokens"] == 4
    rate, seconds = decode["llama_stack.engine.tokens_per_second"], (steps[2].ended or 0.0) - steps[2].began
    assert rate == pytest.approx(3 / seconds, rel=1e-3)
    assert streams is False or b'"usage"' not in body, "nobody has asked for it"


@pytestmark_module
async def test_each_choice_has_its_steps(served: Served) -> None:
    _, steps, _ = await told(served, **chat(n=2))
    assert [(span.name, span.attributes["llama_stack.engine.choice"]) for span in steps] == [
        (name, choice) for choice in (0, 1) for name in STEPS
    ]


@pytestmark_module
async def test_of_an_answer_that_is_left_what_was_done_is_told(served: Served) -> None:
    seen = Seen()
    request = ChatCompletionRequest.model_validate(chat(stream=True, max_tokens=200))
    with inside(seen.begin()):
        stream = await served.stack.api("inference").chat_completion(request)
        await anext(stream)
        await stream.aclose()
    *steps, model = seen.spans
    assert (model.error, [span.name for span in steps]) == ("cancelled", STEPS)
    written = model.attributes["gen_ai.usage.output_tokens"]
    assert isinstance(written, int) and 0 < written < 200


@pytestmark_module
async def test_without_a_trace_nothing_is_noted(served: Served) -> None:
    request = ChatCompletionRequest.model_validate(chat())
    exported = await Exported.of(served.stack)
    await served.stack.api("inference").chat_completion(request)
    assert await exported.spans() == []


@pytest.mark.smollm2
async def test_the_shipped_model_tells_its_steps_and_the_tokens_of_a_stream(tmp_path: Path) -> None:
    run = run_config(providers=providers("SmolLM2-135M-Instruct") | TELEMETRY)
    messages = [{"role": "user", "content": "What is the capital of Japan?"}]
    body = {"model": "llama/SmolLM2-135M-Instruct", "messages": messages, "temperature": 0, "max_tokens": 12}
    async with serving(run, tmp_path) as served:
        whole = (await served.client.post("/v1/chat/completions", body)).json()["usage"]
        model, steps, _ = await told(served, **body, stream=True)
    check(model, steps)
    assert (model.attributes[TOKENS[0]], model.attributes[TOKENS[1]]) == (
        whole["prompt_tokens"],
        whole["completion_tokens"],
    )
    assert steps[1].attributes["llama_stack.engine.tokens"] == whole["prompt_tokens"]
    assert steps[2].attributes["llama_stack.engine.tokens"] == whole["completion_tokens"]


async def test_a_request_that_waits_for_its_model_has_a_step_for_that(tmp_path: Path) -> None:
    model = write_tiny_chat_model(tmp_path / "Tiny", context_length=512)
    run = run_config(providers=providers(str(model), dtype="float32") | TELEMETRY)
    async with serving(run, tmp_path) as served:
        await told(served, **chat())
        adapter: Any = adapter_of(served.stack, "inference")
        await adapter._pool.unload("Tiny")
        model_span, steps, _ = await told(served, **chat())
        _, without, _ = await told(served, **chat())
    load, *others = steps
    assert [span.name for span in steps] == ["load", *STEPS]
    assert load.attributes["llama_stack.engine.model"] == "Tiny"
    size = load.attributes["llama_stack.size_bytes"]
    assert isinstance(size, int) and size > 0
    assert load.ended is not None and model_span.began <= load.began < load.ended <= others[0].began
    assert [span.name for span in without] == STEPS, "it was there"
