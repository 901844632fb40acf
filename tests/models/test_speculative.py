"""Guessed tokens: they change how many tokens a step gives, and never which."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runtime.engine.engine import Engine
from runtime.engine.requests.messages import TokenOutput
from runtime.engine.requests.sampling_params import SamplingParams
from runtime.engine.running.options import EngineOptions
from runtime.engine.scheduling.block_manager import BlockManager
from runtime.engine.scheduling.scheduler import Scheduler
from runtime.engine.scheduling.speculative import PromptLookup
from tests.support.tiny_llama import new_sequence, random_weights, tiny_config, write_gguf

CONFIG = tiny_config(
    layers=2, hidden_size=64, heads=4, kv_heads=2, head_dim=16, ffn_size=96, vocab_size=64, eos_token_ids=(2,)
)
GREEDY = SamplingParams(temperature=0, max_tokens=60, ignore_eos=True)


def test_what_followed_the_last_time_is_guessed() -> None:
    lookup = PromptLookup()
    tokens = [1, 2, 3, 4, 5, 9, 1, 2, 3, 7, 8, 1, 2, 3]
    assert lookup.guess(tokens, 5) == (7, 8)
    lookup.judge(2, 2)
    assert lookup.guess(tokens, 5) == (7, 8, 1, 2)
    assert lookup.guess(tokens, 1) == (7,)
    assert lookup.guess([*tokens, 50], 5) == ()


def test_what_has_just_repeated_itself_is_guessed_to_go_on() -> None:
    lookup = PromptLookup()
    lookup.judge(2, 2)
    lookup.judge(4, 4)
    assert lookup.guess([5, 1, 2, 1, 2, 1, 2], 5) == (1, 2, 1, 2, 1)


def test_short_and_new_texts_are_not_guessed() -> None:
    lookup = PromptLookup()
    for length in range(8):
        assert lookup.guess(list(range(length)), 5) == ()


def test_who_guesses_wrong_rests_ever_longer() -> None:
    lookup, tokens = PromptLookup(), [1, 2, 3, 4, 1, 2, 3]
    rests = []
    for _ in range(3):
        assert lookup.guess(tokens, 5)
        lookup.judge(2, 0)
        rest = 0
        while not lookup.guess(tokens, 5):
            rest += 1
        rests.append(rest)
    assert rests == [8, 16, 32]
    lookup.judge(2, 2)
    lookup.judge(2, 0)
    assert sum(not lookup.guess(tokens, 5) for _ in range(9)) == 8, "a right guess makes up for all"


def test_guesses_take_no_page_from_others_and_end_with_the_sequence() -> None:
    blocks = BlockManager(3, 8)
    scheduler = Scheduler(blocks, max_batch_size=4, max_step_tokens=64, guessed_tokens=7)
    first, second = (new_sequence(number, [1, 2, 3, 4, 1, 2], []) for number in range(2))
    first.max_length = 9
    for sequence in (first, second):
        scheduler.add(sequence)
    assert [chunk.guess for chunk in _advanced(scheduler, token=3)] == [(), ()], "a prompt has not been sampled yet"
    chunks = _advanced(scheduler, token=4)
    assert [chunk.guess for chunk in chunks] == [(4,), (4,)], "two of them share seven rows; the page ends at eight"
    assert blocks.free == 0 and scheduler.preemptions == 0


def _advanced(scheduler: Scheduler, *, token: int) -> list[Any]:
    """A step whose sequences are given `token`, without what was guessed."""
    chunks = scheduler.schedule()
    for chunk in chunks:
        scheduler.advance(chunk)
        chunk.sequence.append(token)
    return chunks


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("guessing")
    return write_gguf(folder / "tiny.gguf", CONFIG, random_weights(CONFIG), kind="Q8_0")


async def answers(
    model: Path, kernels: Path, calls: list[tuple[list[int], SamplingParams]], **options: Any
) -> tuple[list[list[TokenOutput]], Any]:
    """What each call is given, and the engine's counts."""
    engine = Engine(EngineOptions(model=model, device="cpu", threads=1, kernels_dir=kernels, **options))
    await engine.start()

    async def read(prompt: list[int], params: SamplingParams) -> list[TokenOutput]:
        return [output async for output in engine.generate(prompt, params)]

    try:
        return await asyncio.gather(*(read(*call) for call in calls)), engine.stats()
    finally:
        await engine.stop()


def plain(outputs: list[TokenOutput]) -> list[Any]:
    return [(one.token_id, one.index, one.logprob, one.top_logprobs, one.finish_reason) for one in outputs]


REPEATING = [5, 9, 11, 30, 5, 9, 11, 30, 5, 9, 11, 30, 5]
CALLS: list[tuple[list[int], SamplingParams]] = [
    (REPEATING, GREEDY),
    (REPEATING, replace(GREEDY, logprobs=3)),
    (REPEATING, replace(GREEDY, temperature=0.3, seed=4)),
    (REPEATING, replace(GREEDY, temperature=1.0, top_p=0.9, top_k=20, seed=5, frequency_penalty=0.4)),
    (REPEATING, replace(GREEDY, repetition_penalty=1.3, presence_penalty=1.0)),
    (REPEATING, replace(GREEDY, ignore_eos=False, logit_bias={2: 9.0}, temperature=1.0, seed=3)),
    ([7], replace(GREEDY, max_tokens=33, prompt_logprobs=True, logprobs=0)),
]


async def test_the_same_tokens_come_with_and_without_guesses(
    model: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    kernels = tmp_path_factory.mktemp("kernels")
    alone = []
    for call in CALLS:
        [outputs], stats = await answers(model, kernels, [call], speculative_tokens=0)
        assert stats.guessed_tokens == 0
        alone.append(plain(outputs))
    guessed = accepted = 0
    for number, call in enumerate(CALLS):
        [outputs], stats = await answers(model, kernels, [call])
        assert plain(outputs) == alone[number]
        guessed, accepted = guessed + stats.guessed_tokens, accepted + stats.accepted_tokens
    assert 0 < accepted < guessed, "some were right and some were wrong"
    together, stats = await answers(model, kernels, CALLS, speculative_tokens=40)
    assert [plain(outputs) for outputs in together] == alone and stats.guessed_tokens
    preempted, stats = await answers(
        model, kernels, CALLS, speculative_tokens=40, kv_cache_bytes=9 * 32 * 2 * 2 * 2 * 16 * 2
    )
    assert [plain(outputs) for outputs in preempted] == alone and stats.preemptions


async def test_a_text_that_repeats_itself_takes_fewer_steps(
    model: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    kernels = tmp_path_factory.mktemp("kernels")
    # With the same token wanted every time, every guess is right.
    call = (REPEATING, replace(GREEDY, logit_bias={9: 100.0}))
    [plainly], slow = await answers(model, kernels, [call], speculative_tokens=0)
    [guessing], fast = await answers(model, kernels, [call])
    assert plain(guessing) == plain(plainly)
    assert slow.steps == 60 and fast.steps <= 20
