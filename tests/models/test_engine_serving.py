"""An engine under many callers: shared prefixes, priorities, lack of memory, callers that leave, figures. A tiny random
model, real steps.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from runtime import errors
from runtime.engine import worker
from runtime.engine.memory.out_of_memory import is_out_of_memory
from runtime.engine.scheduling.scheduler import Chunk
from tests.support.tiny_engine import (
    CONFIG,
    ENDLESS,
    GREEDY,
    PAGE_BYTES,
    PAGE_TOKENS,
    WEIGHTS,
    assert_idle,
    ids_of,
    outputs_of,
    prompts,
    running,
)
from tests.support.tiny_llama import write_hugging_face

LONG = [3 + at % 100 for at in range(3 * PAGE_TOKENS + 5)]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_hugging_face(tmp_path_factory.mktemp("tiny"), CONFIG, WEIGHTS)


# Prefixes


async def test_a_prompt_is_computed_once_and_gives_the_same_answer_again(model: Path) -> None:
    async with running(model) as engine:
        first = await outputs_of(engine, LONG)
        again = await outputs_of(engine, LONG)
        assert [output.token_id for output in first] == [output.token_id for output in again]
        assert [output.prefill and output.prefill.cached_tokens for output in (first[0], again[0])] == [0, 96]
        assert {output.prefill for output in again[1:]} == {None}
        stats = engine.stats()
        assert (stats.prompt_tokens, stats.cached_tokens) == (len(LONG) + 5, 96)
        assert stats.pages_kept == 4  # the last one is not full
        assert_idle(engine)


async def test_a_chat_goes_on_from_the_answer_before(model: Path) -> None:
    async with running(model) as engine:
        answer = await ids_of(engine, LONG[: PAGE_TOKENS - 4])
        more = [*LONG[: PAGE_TOKENS - 4], *answer, 5, 6, 7]
        [*_, last] = await outputs_of(engine, more)
        found = await outputs_of(engine, more)
        assert last.token_id == found[-1].token_id
        assert engine.stats().cached_tokens == 2 * PAGE_TOKENS
    async with running(model) as engine:
        assert await ids_of(engine, more) == [output.token_id for output in found]


async def test_prompts_that_part_within_a_page_give_the_same_answers_as_alone(model: Path) -> None:
    beginning, shared = LONG[: PAGE_TOKENS + 20], PAGE_TOKENS + 16
    prompts = [[*beginning, *end] for end in ([5, 6, 7], [8], [9, 10, 11, 12, 13])]
    alone = []
    for prompt in prompts:
        async with running(model) as engine:
            alone.append(await ids_of(engine, prompt))
    async with running(model) as engine:
        found = [await outputs_of(engine, prompt) for prompt in prompts]
        assert [[output.token_id for output in outputs] for outputs in found] == alone
        assert [outputs[0].prefill and outputs[0].prefill.cached_tokens for outputs in found] == [0, shared, shared]
        assert_idle(engine)


async def test_answers_to_one_prompt_share_its_pages(model: Path) -> None:
    async with running(model) as engine:
        alone = await ids_of(engine, LONG)
    async with running(model) as engine:
        assert await asyncio.gather(*[ids_of(engine, LONG) for _ in range(6)]) == [alone] * 6
        assert engine.stats().prompt_tokens == len(LONG) + 5 * 5
        assert_idle(engine)


async def test_what_others_asked_is_not_found_with_another_salt(model: Path) -> None:
    async with running(model) as engine:
        mine = await ids_of(engine, LONG, cache_salt="mine")
        assert await ids_of(engine, LONG, cache_salt="yours") == mine
        assert engine.stats().cached_tokens == 0


async def test_nothing_is_kept_where_nothing_may_be(model: Path) -> None:
    async with running(model, prefix_cache_tokens=0) as engine:
        assert await ids_of(engine, LONG) == await ids_of(engine, LONG)
        assert (engine.stats().cached_tokens, engine.stats().pages_kept) == (0, 0)


# Priorities


async def test_an_interactive_request_takes_the_place_of_a_batch_which_goes_on_unchanged(model: Path) -> None:
    batch = replace(GREEDY, max_tokens=60)
    async with running(model, max_batch_size=1) as engine:
        alone = await ids_of(engine, LONG, batch)
        async with aclosing(engine.generate(LONG, batch, priority=10)) as stream:
            tokens = [(await anext(stream)).token_id]
            assert len(await ids_of(engine, [5, 6])) == 8  # with the only row taken
            assert engine.stats().preemptions == 1
            tokens += [output.token_id async for output in stream]
        assert tokens == alone
        assert_idle(engine)


# Memory


class OutOfMemoryError(RuntimeError):
    """As torch's, which is known by its name."""


class Short:
    """A runner for which no step of `tokens` tokens or more fits into memory."""

    def __init__(self, runner: Any, tokens: int) -> None:
        self._runner, self._tokens = runner, tokens

    def launch(self, chunks: list[Chunk]) -> Any:
        if sum(chunk.count for chunk in chunks) >= self._tokens:
            raise OutOfMemoryError("planted")
        return self._runner.launch(chunks)


def without_memory_for(monkeypatch: pytest.MonkeyPatch, *, tokens: int) -> None:
    correct = worker._Worker.launch

    def launch(self: worker._Worker, chunks: list[Chunk]) -> Any:
        with monkeypatch.context() as patched:
            patched.setattr(self, "runner", Short(self.runner, tokens))
            return correct(self, chunks)

    monkeypatch.setattr(worker._Worker, "launch", launch)


async def test_a_step_without_memory_is_tried_again_smaller_and_nobody_notices(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = prompts(8, seed=5)
    async with running(model) as engine:
        alone = [await ids_of(engine, prompt) for prompt in many]
    without_memory_for(monkeypatch, tokens=30)
    async with running(model) as engine:
        assert await asyncio.gather(*[ids_of(engine, prompt) for prompt in many]) == alone
        assert engine.stats().out_of_memory > 0
        assert_idle(engine)


async def test_a_sequence_that_does_not_fit_alone_is_told_what_to_set(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(model) as engine:
        with monkeypatch.context() as patched:
            without_memory_for(patched, tokens=1)
            with pytest.raises(errors.Unavailable, match="ran out of memory on cpu") as failed:
                await ids_of(engine, LONG)
        assert failed.value.code == "out_of_memory"
        assert "`kv_cache_bytes`" in str(failed.value.hint)
        assert len(await ids_of(engine, LONG)) == 8
        assert_idle(engine)


@pytest.mark.parametrize(
    ("error", "is_one"),
    [
        (MemoryError(), True),
        (OutOfMemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't allocate memory"),
            True,
        ),
        (RuntimeError("shapes do not match"), False),
    ],
)
def test_lack_of_memory_is_known_by_its_errors(error: Exception, is_one: bool) -> None:
    assert is_out_of_memory(error) is is_one


def test_torch_s_own_error_for_main_memory_is_one_of_them() -> None:
    with pytest.raises(RuntimeError) as raised:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(raised.value)


# Callers that leave, and streams beside long prompts


async def test_a_caller_that_leaves_frees_its_row_within_one_step(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[set[int]] = []
    correct = worker._Worker.launch

    def launch(self: worker._Worker, chunks: list[Chunk]) -> Any:
        steps.append({chunk.sequence.prompt_length for chunk in chunks})
        return correct(self, chunks)

    monkeypatch.setattr(worker._Worker, "launch", launch)
    async with running(model, max_batch_size=1) as engine:
        leaving = engine.generate([5] * 3, ENDLESS)
        await anext(leaving)
        waiting = asyncio.create_task(ids_of(engine, [6] * 4))
        await anext(leaving)
        await leaving.aclose()
        begun = len(steps)
        assert len(await waiting) == 8
        # The step that was running when the caller left, and the eight of the next one.
        assert steps[begun + 1 :].count({3}) == 0
        assert steps.count({4}) == 8


async def test_a_stream_gets_a_token_in_every_step_while_a_long_prompt_is_read(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[list[tuple[int, int]]] = []
    correct = worker._Worker.launch

    def launch(self: worker._Worker, chunks: list[Chunk]) -> Any:
        steps.append([(chunk.sequence.id, chunk.count) for chunk in chunks])
        return correct(self, chunks)

    monkeypatch.setattr(worker._Worker, "launch", launch)
    async with running(model, prefill_chunk_tokens=10) as engine, aclosing(engine.generate([5], ENDLESS)) as stream:
        await anext(stream)
        assert len(await ids_of(engine, LONG)) == 8
    both = [dict(step) for step in steps if len(step) == 2]
    read = [step[2] for step in both]
    assert read[0] == max(read) == 10
    assert sum(read) == len(LONG) + 7  # the seven tokens after the first are computed, too
    assert {step[1] for step in both} == {1}


# Figures


async def test_figures_tell_what_callers_saw(model: Path) -> None:
    async with running(model, kv_cache_bytes=20 * PAGE_BYTES) as engine:
        await outputs_of(engine, LONG)
        async with aclosing(engine.generate(LONG, ENDLESS)) as stream:
            await anext(stream)
            figures = engine.figures()
    assert (figures["running"], figures["waiting"]) == (1, 0)
    assert figures["kv_use"] == 4 / 20
    assert figures["prefix_hit_rate"] == pytest.approx(96 / (2 * len(LONG)), abs=1e-5)
    assert figures["cached_tokens"] == 96
    for name in ("time_to_first_token", "inter_token_latency", "event_loop_lag"):
        assert 0 < figures[f"{name}_p50_s"] <= figures[f"{name}_p95_s"] <= figures[f"{name}_max_s"]
    assert figures["generated_tokens_per_second"] > 0


async def test_what_was_counted_stays_when_the_engine_ends(model: Path) -> None:
    async with running(model) as engine:
        await outputs_of(engine, LONG)
        stream = engine.generate(LONG, ENDLESS)
        await anext(stream)
    figures = engine.figures()
    assert figures["steps"] >= 9 and figures["generated_tokens"] >= 9 and figures["cached_tokens"] == 96
    assert [figures[name] for name in ("running", "waiting", "kv_use", "kv_kept")] == [0] * 4
    await stream.aclose()


async def test_the_waits_of_an_answer_are_told_apart(model: Path) -> None:
    async with running(model, max_batch_size=1) as engine:
        first = asyncio.create_task(outputs_of(engine, [5, 6]))
        second = asyncio.create_task(outputs_of(engine, LONG))
        [early, late] = [(await task)[0] for task in (first, second)]
        assert early.prefill is not None and late.prefill is not None
        assert late.prefill.waited_s > early.prefill.waited_s >= 0
        assert late.prefill.computed_s > 0
        assert late.at_s > early.at_s
