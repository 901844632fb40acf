"""The engine on packed weights: whatever way a request takes, its ids and its log-probabilities are the same to the
last bit. Each way is held against requests that ran one after the other, whole, on one thread, without a prefix
cache or guesses.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.engine.engine import Engine
from runtime.engine.requests.messages import PromptLogprob
from runtime.engine.requests.sampling_params import SamplingParams
from tests.support.llama_cpp import shipped_gguf
from tests.support.tiny_engine import assert_idle, outputs_of, prompts, running
from tests.support.tiny_packed import PACKED_PAGE_BYTES, write_quantised

Token = tuple[int, float | None, tuple[tuple[int, float], ...]]
"""Its id, its log-probability and the likeliest ones in its place."""
Answer = tuple[list[PromptLogprob], list[Token]]
"""What is known of a prompt's tokens, and the tokens of its completion."""

KINDS = [
    SamplingParams(temperature=0, max_tokens=24, logprobs=3),
    SamplingParams(seed=11, max_tokens=20, logprobs=2, prompt_logprobs=True),
    SamplingParams(seed=12, max_tokens=30, top_p=0.9, temperature=0.7, logprobs=0),
    SamplingParams(seed=13, max_tokens=25, top_k=10, frequency_penalty=0.5, repetition_penalty=1.1, logprobs=5),
    SamplingParams(seed=14, max_tokens=15, min_p=0.05, logit_bias={7: 3.0, 9: -100.0}, logprobs=1),
    SamplingParams(temperature=0, max_tokens=3, logprobs=1, prompt_logprobs=True),
]
REQUESTS = [(prompt, KINDS[number % len(KINDS)]) for number, prompt in enumerate(prompts(14))]
# Answers that repeat what was said, so that guesses at them are right.
REQUESTS += [([5, 6, 7, 8] * 9, KINDS[0]), (list(range(20, 35)) * 3, replace(KINDS[2], logit_bias={20: 9, 21: 9}))]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_quantised(tmp_path_factory.mktemp("packed"), kind="Q4_1")


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kernels")


def packed(model: Path, kernels: Path | None, **options: Any) -> AbstractAsyncContextManager[Engine]:
    return running(model, **{"device": "cpu", "dtype": "auto", "kernels_dir": kernels, **options})


async def answer_of(engine: Engine, prompt: list[int], params: SamplingParams, **place: Any) -> Answer:
    outputs = await outputs_of(engine, prompt, params, **place)
    made = [(output.token_id, output.logprob, output.top_logprobs) for output in outputs]
    return list(outputs[0].prompt or ()), made


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def alone(model: Path, kernels: Path) -> AsyncIterator[list[Answer]]:
    async with packed(model, kernels, prefix_cache_tokens=0, speculative_tokens=0) as engine:
        assert engine.plan.dtype == "quantized"
        yield [await answer_of(engine, prompt, params) for prompt, params in REQUESTS]
        assert engine.stats().cached_tokens == engine.stats().preemptions == 0


WAYS: dict[str, dict[str, Any]] = {
    "together": {"speculative_tokens": 0},
    "with guesses": {"speculative_tokens": 7},
    "with guesses, in small steps, after preemptions": {
        "speculative_tokens": 16,
        "max_step_tokens": 40,
        "kv_cache_bytes": 8 * PACKED_PAGE_BYTES,
    },
    "in small steps": {"max_step_tokens": 7, "max_batch_size": 5},
    "in chunks": {"max_step_tokens": 48, "prefill_chunk_tokens": 20},
    "after preemptions": {"kv_cache_bytes": 8 * PACKED_PAGE_BYTES},
    "on two threads": {"threads": 2},
    "on three threads, after preemptions": {"threads": 3, "kv_cache_bytes": 8 * PACKED_PAGE_BYTES},
    "with kernels that were compiled again": {"kernels_dir": None},
}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("way", WAYS)
async def test_sixteen_mixed_requests_together_are_each_what_it_is_alone(
    model: Path, kernels: Path, alone: list[Answer], way: str
) -> None:
    async with packed(model, kernels, **WAYS[way]) as engine:
        asked = [
            answer_of(engine, prompt, params, priority=number % 3) for number, (prompt, params) in enumerate(REQUESTS)
        ]
        assert await asyncio.gather(*asked) == alone
        stats = engine.stats()
        assert stats.steps < sum(len(made) for _, made in alone), "they did run together"
        assert (stats.preemptions > 0) == ("preemptions" in way)
        assert ("guesses" not in way) or 0 < stats.accepted_tokens < stats.guessed_tokens
        assert_idle(engine)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("threads", [1, 2, 3])
async def test_a_prompt_that_is_found_computed_is_answered_as_if_it_were_not(
    model: Path, kernels: Path, alone: list[Answer], threads: int
) -> None:
    async with packed(model, kernels, threads=threads, prefix_cache_tokens=4096) as engine:
        for _ in range(2):
            assert [await answer_of(engine, prompt, params) for prompt, params in REQUESTS] == alone
        assert engine.stats().cached_tokens > 300
        # What was computed as an answer serves as a prompt, too.
        prompt, params = max(REQUESTS, key=lambda request: len(request[0]))
        _, made = alone[REQUESTS.index((prompt, params))]
        longer, before = [*prompt, *[token_id for token_id, *_ in made]], engine.stats().cached_tokens
        found = await answer_of(engine, longer, KINDS[0])
        assert engine.stats().cached_tokens - before >= len(longer) // 8 * 8 - 8  # the last page is copied in part
    async with packed(model, kernels, prefix_cache_tokens=0, speculative_tokens=0) as engine:
        assert await answer_of(engine, longer, KINDS[0]) == found


@pytest.mark.asyncio(loop_scope="module")
async def test_several_answers_to_one_prompt_are_those_of_their_seeds(model: Path, kernels: Path) -> None:
    """They share what is computed of the prompt."""
    prompt = max((prompt for prompt, _ in REQUESTS), key=len)
    wanted = [replace(KINDS[2], seed=seed, logprobs=2) for seed in range(6)]
    async with packed(model, kernels) as engine:
        together = await asyncio.gather(*[answer_of(engine, prompt, params) for params in wanted])
        assert engine.stats().cached_tokens >= 5 * 64
    async with packed(model, kernels, prefix_cache_tokens=0, speculative_tokens=0) as engine:
        assert [await answer_of(engine, prompt, params) for params in wanted] == together
    assert len({tuple(token_id for token_id, *_ in made) for _, made in together}) > 1


@pytest.mark.smollm2
async def test_the_shipped_model_says_the_same_in_every_way(tmp_path: Path) -> None:
    requests = [
        (list(range(300, 390)), SamplingParams(temperature=0, max_tokens=8, logprobs=5, ignore_eos=True)),
        (
            list(range(700, 714)) * 3,
            SamplingParams(seed=5, temperature=0.3, max_tokens=12, logprobs=2, ignore_eos=True),
        ),
        ([1, 4093, 198], SamplingParams(seed=6, top_p=0.8, max_tokens=6, logprobs=0, prompt_logprobs=True)),
    ]
    ways: list[dict[str, Any]] = [
        {"prefix_cache_tokens": 0, "speculative_tokens": 0},
        {"prefill_chunk_tokens": 19, "max_step_tokens": 32},
        {"threads": 2},
    ]
    found = []
    for way in ways:
        async with packed(shipped_gguf(), tmp_path, max_context_tokens=128, **way) as engine:
            if not found:
                found.append([await answer_of(engine, prompt, params) for prompt, params in requests])
            else:
                found.append(await asyncio.gather(*[answer_of(engine, *request) for request in requests]))
    assert found[1] == found[0] and found[2] == found[0]
