"""The engine's thread seen from the event loop: tokens, company, aborts, failures, stops. A tiny random model, real
steps.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
import torch

from runtime import errors
from runtime.engine.checkpoints.model_config import CheckpointInvalid
from runtime.engine.checkpoints.opening import Checkpoint, open_checkpoint
from runtime.engine.engine import Engine
from runtime.engine.requests.grammar import Grammar, Matcher
from runtime.engine.requests.messages import Abort, FinishReason, TokenOutput
from runtime.engine.requests.sampling_params import SamplingParams
from runtime.engine.running import loading
from runtime.engine.running.options import EngineOptions
from runtime.engine.running.torch_runner import TorchRunner
from runtime.engine.scheduling.scheduler import Chunk, Scheduler
from runtime.engine.scheduling.sequence import Sequence
from tests.support.tiny_engine import (
    CONFIG,
    GREEDY,
    PAGE_BYTES,
    WEIGHTS,
    assert_idle,
    ids_of,
    outputs_of,
    prompts,
    running,
)
from tests.support.tiny_llama import slow_logits, write_hugging_face


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_hugging_face(tmp_path_factory.mktemp("tiny"), CONFIG, WEIGHTS)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("engine")]


def greedy_reference(prompt: list[int], count: int) -> list[int]:
    tokens = list(prompt)
    for _ in range(count):
        tokens.append(int(slow_logits(CONFIG, WEIGHTS, tokens)[-1].argmax()))
    return tokens[len(prompt) :]


async def test_greedy_tokens_are_those_of_the_slow_reference(model: Path) -> None:
    async with running(model) as engine:
        outputs = await outputs_of(engine, [5, 6, 7])
        assert [output.token_id for output in outputs] == greedy_reference([5, 6, 7], 8)
        assert [output.index for output in outputs] == list(range(8))
        assert [output.finish_reason for output in outputs] == [None] * 7 + ["length"]
        assert engine.config == replace(CONFIG, norm_eps=engine.config.norm_eps)
        assert_idle(engine)


async def test_company_changes_nothing(model: Path) -> None:
    """Sixteen mixed requests, greedy and seeded: together, with tiny steps, and after preemptions, the same ids."""
    many = prompts(16)
    kinds = [
        GREEDY,
        SamplingParams(seed=11, max_tokens=20),
        SamplingParams(seed=12, max_tokens=30, top_p=0.9, temperature=0.7),
        SamplingParams(seed=13, max_tokens=25, top_k=10, frequency_penalty=0.5, repetition_penalty=1.1),
    ]
    requests = [(prompt, kinds[number % 4]) for number, prompt in enumerate(many)]
    async with running(model) as engine:
        alone = [await ids_of(engine, prompt, params) for prompt, params in requests]
        steps = engine.stats().steps
        together = await asyncio.gather(*[ids_of(engine, prompt, params) for prompt, params in requests])
        assert together == alone
        assert engine.stats().steps - steps < 45  # 30 tokens at most, and a few steps of prompts: they did run together
        assert_idle(engine)
    async with running(model, max_step_tokens=7, max_batch_size=5) as engine:
        assert await asyncio.gather(*[ids_of(engine, prompt, params) for prompt, params in requests]) == alone
    async with running(model, kv_cache_bytes=8 * PAGE_BYTES) as engine:
        assert await asyncio.gather(*[ids_of(engine, prompt, params) for prompt, params in requests]) == alone
        assert engine.stats().preemptions > 0
        assert_idle(engine)


async def test_a_fresh_seed_is_taken_where_none_is_given(model: Path) -> None:
    async with running(model) as engine:
        flat = SamplingParams(temperature=50, max_tokens=20, ignore_eos=True)
        assert await ids_of(engine, [5], flat) != await ids_of(engine, [5], flat)


async def test_end_tokens_stop_and_can_be_ignored(model: Path) -> None:
    async with running(model) as engine:
        force_end = {127: 100.0}
        stopped = await outputs_of(engine, [5, 6], SamplingParams(temperature=0, max_tokens=5, logit_bias=force_end))
        assert [(output.token_id, output.finish_reason) for output in stopped] == [(127, "stop")]
        ignoring = SamplingParams(temperature=0, max_tokens=3, logit_bias=force_end, ignore_eos=True)
        assert await ids_of(engine, [5, 6], ignoring) == [127, 127, 127]
        third = greedy_reference([5, 6, 7], 3)[2]
        own = await outputs_of(engine, [5, 6, 7], replace(GREEDY, stop_token_ids=frozenset({third})))
        assert own[-1].finish_reason == "stop"
        assert own[-1].token_id == third


async def test_a_completion_ends_with_its_context(model: Path) -> None:
    async with running(model, max_context_tokens=40) as engine:
        outputs = await outputs_of(engine, [5] * 30, SamplingParams(temperature=0, ignore_eos=True))
        assert len(outputs) == 10
        assert outputs[-1].finish_reason == "length"
        assert len(await ids_of(engine, [5] * 39, replace(GREEDY, max_tokens=100))) == 1


async def test_what_cannot_be_run_is_refused_at_the_call(model: Path) -> None:
    async with running(model, max_context_tokens=40) as engine:
        with pytest.raises(errors.RequestError, match=r"40 tokens.*context of 40") as caught:
            engine.generate([5] * 40, GREEDY)
        assert caught.value.code == "context_length_exceeded"
        for prompt, params, param in [
            ([], GREEDY, "prompt"),
            ([5, 128], GREEDY, "prompt"),
            ([-1], GREEDY, "prompt"),
            ([5], replace(GREEDY, logit_bias={128: 1.0}), "logit_bias"),
            ([5], replace(GREEDY, stop_token_ids=frozenset({-2})), "stop_token_ids"),
            ([5], replace(GREEDY, logprobs=101), "logprobs"),
        ]:
            with pytest.raises(errors.RequestError) as caught:
                engine.generate(prompt, params)
            assert caught.value.param == param
        assert len(await ids_of(engine, [5])) == 8


async def test_logprobs_come_with_tokens_and_the_prompt(model: Path) -> None:
    prompt = [5, 6, 7, 8]
    reference = slow_logits(CONFIG, WEIGHTS, prompt).log_softmax(-1)
    async with running(model, max_batch_size=2, max_step_tokens=2) as engine:
        params = SamplingParams(temperature=0, max_tokens=2, logprobs=3, prompt_logprobs=True)
        first, second = await outputs_of(engine, prompt, params)
        assert first.logprob == pytest.approx(float(reference[-1].max()), abs=1e-4)
        assert [id for id, _ in first.top_logprobs] == reference[-1].topk(3).indices.tolist()
        assert first.prompt is not None and second.prompt is None
        assert [entry.token_id for entry in first.prompt] == prompt[1:]
        own = [float(reference[at, prompt[at + 1]]) for at in range(3)]
        assert [entry.logprob for entry in first.prompt] == pytest.approx(own, abs=1e-4)
        assert [id for id, _ in first.prompt[0].top_logprobs] == reference[0].topk(3).indices.tolist()
        longer = slow_logits(CONFIG, WEIGHTS, [*prompt, first.token_id]).log_softmax(-1)
        assert second.logprob == pytest.approx(float(longer[-1].max()), abs=1e-4)


async def first_of(engine: Engine, prompt: list[int]) -> TokenOutput:
    """The first token, dropping the iterator where it stands, as a careless caller would."""
    async for output in engine.generate(prompt, SamplingParams(ignore_eos=True)):
        return output
    raise AssertionError


async def test_leaving_a_stream_frees_its_pages(model: Path) -> None:
    endless = SamplingParams(ignore_eos=True)
    async with running(model) as engine:
        async with aclosing(engine.generate([5] * 50, endless)) as stream:
            await anext(stream)
        await first_of(engine, [6] * 50)
        started = asyncio.Event()

        async def read() -> None:
            async for _ in engine.generate([7] * 50, endless):
                started.set()

        task = asyncio.create_task(read())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        never_read = engine.generate([8] * 50, endless)
        await never_read.aclose()
        # This one is added after those aborts, so its last step comes after them.
        assert len(await ids_of(engine, [5])) == 8
        assert_idle(engine)


async def test_neighbours_of_an_aborted_sequence_go_on_unchanged(model: Path) -> None:
    async with running(model) as engine:
        alone = await ids_of(engine, [9, 8, 7], replace(GREEDY, max_tokens=40))
        kept = asyncio.create_task(ids_of(engine, [9, 8, 7], replace(GREEDY, max_tokens=40)))
        for prompt in prompts(6, seed=3):
            await first_of(engine, prompt)
        assert await kept == alone


async def test_waiting_sequences_can_be_left_too(model: Path) -> None:
    async with running(model, max_batch_size=1) as engine:
        async with aclosing(engine.generate([5], SamplingParams(ignore_eos=True))) as stream:
            await anext(stream)
            waiting = asyncio.create_task(ids_of(engine, [6]))
            await anext(stream)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        assert len(await ids_of(engine, [7])) == 8
        assert_idle(engine)


async def test_stop_ends_running_and_waiting_sequences(model: Path) -> None:
    async with running(model, max_batch_size=1) as engine:
        stream = engine.generate([5], SamplingParams(ignore_eos=True))
        await anext(stream)
        waiting = asyncio.create_task(ids_of(engine, [6]))
        await anext(stream)
        await engine.stop()
        with pytest.raises(errors.Unavailable, match="stopped"):
            async for _ in stream:
                pass
        with pytest.raises(errors.Unavailable, match="stopped"):
            await waiting
        with pytest.raises(errors.Unavailable, match="stopped"):
            engine.generate([5], GREEDY)
        await engine.stop()


async def test_a_call_before_start_or_between_call_and_reading_is_refused(model: Path) -> None:
    engine = Engine(EngineOptions(model=model))
    with pytest.raises(errors.Unavailable, match="is not loaded"):
        engine.generate([5], GREEDY)
    await engine.stop()
    async with running(model) as engine:
        early = engine.generate([5], GREEDY)
        await engine.stop()
        with pytest.raises(errors.Unavailable, match="stopped"):
            await anext(early)


def failing_at(token_id: int) -> Callable[[TorchRunner, list[Chunk]], torch.Tensor]:
    """A forward pass with a bug that one token brings out."""
    correct = TorchRunner.forward

    def forward(self: TorchRunner, chunks: list[Chunk]) -> torch.Tensor:
        if any(token_id in chunk.sequence.tokens for chunk in chunks):
            raise ZeroDivisionError("planted")
        return correct(self, chunks)

    return forward


async def test_a_bug_fails_the_sequences_of_its_step_and_no_others(
    model: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(TorchRunner, "forward", failing_at(126))
    async with running(model, max_batch_size=2) as engine:
        calls = [[5, 5], [6, 126], [7, 7], [8, 8]]
        params = replace(GREEDY, logit_bias={126: -100.0})
        found = await asyncio.gather(*[ids_of(engine, prompt, params) for prompt in calls], return_exceptions=True)
        assert [type(result) for result in found] == [errors.StackError, errors.StackError, list, list]
        assert "ZeroDivisionError: planted" in str(found[0])
        assert len(await ids_of(engine, [5], params)) == 8
        assert_idle(engine)
    assert "engine step failed" in caplog.text


async def test_a_bug_in_what_one_sequence_is_given_fails_that_one(
    model: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its neighbours hear of their tokens, those too that end in the same step, before and after it."""
    append = Sequence.append

    def failing(self: Sequence, token_id: int) -> FinishReason | None:
        if self.tokens[-1] == 126:
            raise ZeroDivisionError("planted")
        return append(self, token_id)

    async with running(model) as engine:
        one = replace(GREEDY, max_tokens=1)
        calls = [([5, 5], one), ([6, 6], GREEDY), ([6, 126], GREEDY), ([7, 7], GREEDY), ([8, 8], one)]
        alone = [await ids_of(engine, *call) for call in calls]
        monkeypatch.setattr(Sequence, "append", failing)
        found = await asyncio.gather(*[ids_of(engine, *call) for call in calls], return_exceptions=True)
        failure = found[2]
        assert isinstance(failure, errors.StackError) and "ZeroDivisionError: planted" in str(failure)
        assert [*found[:2], *found[3:]] == [*alone[:2], *alone[3:]]
        assert_idle(engine)
    assert "a sequence failed" in caplog.text


async def test_a_bug_in_starting_a_sequence_fails_that_one(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def matcher(self) -> Matcher:
            raise ZeroDivisionError("planted")

    async with running(model) as engine:
        with pytest.raises(errors.StackError, match="ZeroDivisionError: planted"):
            await ids_of(engine, [5], SamplingParams(grammar=cast("Grammar", Broken())))
        assert len(await ids_of(engine, [5])) == 8
        assert_idle(engine)


async def test_a_bug_in_scheduling_fails_everyone_and_the_engine_goes_on(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def schedule(self: object) -> list[Chunk]:
        raise KeyError("planted")

    async with running(model) as engine:
        with monkeypatch.context() as patched:
            patched.setattr(Scheduler, "schedule", schedule)
            with pytest.raises(errors.StackError, match="KeyError"):
                await ids_of(engine, [5])
        assert len(await ids_of(engine, [5])) == 8
        assert_idle(engine)


async def test_what_ends_the_engine_is_what_its_callers_are_told(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Extensions in Rust raise panics that are no `Exception`."""

    class Panic(BaseException):
        pass

    def schedule(self: object) -> list[Chunk]:
        raise Panic("planted")

    async with running(model) as engine:
        monkeypatch.setattr(Scheduler, "schedule", schedule)
        for _ in range(2):
            with pytest.raises(errors.StackError, match="The engine failed: Panic: planted"):
                await ids_of(engine, [5])
        assert not engine.is_running


async def test_a_model_that_cannot_be_loaded_fails_the_start(tmp_path: Path) -> None:
    engine = Engine(EngineOptions(model=tmp_path / "nowhere.gguf"))
    with pytest.raises(CheckpointInvalid, match=r"nowhere\.gguf"):
        await engine.start()
    with pytest.raises(CheckpointInvalid, match=r"nowhere\.gguf"):
        engine.generate([5], GREEDY)


async def test_a_start_that_is_given_up_ends_its_thread(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    has_begun, gate = threading.Event(), threading.Event()

    class Slow:
        def __init__(self, path: Path) -> None:
            self.path = path
            self.config = open_checkpoint(path).config

        def weights(self) -> Iterator[tuple[str, torch.Tensor]]:
            for number, weight in enumerate(open_checkpoint(self.path).weights()):
                if number == 2:
                    has_begun.set()
                    gate.wait(30)
                yield weight

    def slow(path: Path) -> Checkpoint:
        return Slow(path)

    monkeypatch.setattr(loading, "open_checkpoint", slow)
    engine = Engine(EngineOptions(model=model))
    start = asyncio.create_task(engine.start())
    assert await asyncio.to_thread(has_begun.wait, 30)
    start.cancel()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await start


def test_a_loop_that_closes_under_the_engine_ends_its_thread(model: Path) -> None:
    engine = Engine(EngineOptions(model=model, threads=1))

    async def abandon() -> None:
        await engine.start()
        await first_of(engine, [5])

    asyncio.run(abandon())
    [thread] = [thread for thread in threading.enumerate() if thread.name.startswith("engine")]
    # The next report finds the loop closed.
    engine._commands.put(Abort(sequence_id=0))
    thread.join(30)
    assert not thread.is_alive()
