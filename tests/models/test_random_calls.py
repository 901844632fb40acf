"""Calls that come, leave and fail at any moment, in engines of any size: whoever is answered is told what they are told
alone, nobody waits for ever, and nothing stays behind.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, aclosing
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.engine.engine import Engine
from runtime.engine.requests.grammar import Grammar, Grammars
from runtime.engine.requests.sampling_params import SamplingParams
from runtime.engine.running.packed_runner import PackedRunner
from runtime.engine.scheduling.sequence import Sequence
from runtime.errors import StackError
from tests.support.tiny_engine import assert_idle, ids_of, running
from tests.support.tiny_llama import tiny_config
from tests.support.tiny_packed import write_quantised

CONFIG = tiny_config(hidden_size=64, heads=4, kv_heads=2, head_dim=16, ffn_size=96, vocab_size=128)
PAGE_BYTES = 32 * CONFIG.kv_elements_per_token * 2
Call = tuple[list[int], SamplingParams]
Answer = list[tuple[Any, ...]]


def grammars() -> list[Grammar]:
    """Of a vocabulary in which every id is the ASCII character of that code, and 2 the end."""
    compiler = Grammars(tokens=lambda: [bytes([code]) for code in range(128)], special_ids=[2], end_ids=[2])
    return [compiler.compile(f"start: {rule}") for rule in ('"so " ("many" | "much") /[a-z]{0,5}/', "/[a-c]{3,9}/")]


def calls() -> list[Call]:
    """Prompts that begin alike or repeat themselves, with every kind of parameters."""
    dice, found = random.Random(1), list[Call]()
    first, second = grammars()
    beginning = [dice.randrange(3, 120) for _ in range(99)]
    kinds: list[dict[str, Any]] = [
        {"temperature": 0},
        {"temperature": 0, "logit_bias": {9: 100.0}},
        {"top_p": 0.8, "frequency_penalty": 0.5, "repetition_penalty": 1.2},
        {"logprobs": 2, "prompt_logprobs": True},
        {"temperature": 0.2, "min_p": 0.1},
        {"grammar": first},
        {"grammar": second, "logprobs": 1},
    ]
    for number in range(2 * len(kinds)):
        length = dice.randint(1, 99)
        prompt = [*beginning[:length], number] if number % 2 else (beginning[:5] * 20)[:length]
        kind = kinds[number // 2]
        most = dice.randint(1, 30)
        found.append((prompt, SamplingParams(seed=number, max_tokens=most, ignore_eos="grammar" not in kind, **kind)))
    return found


CALLS = calls()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_quantised(tmp_path_factory.mktemp("packed"), CONFIG)


def engine_of(model: Path, **options: Any) -> AbstractAsyncContextManager[Engine]:
    return running(model, device="cpu", dtype="auto", kernels_dir=model.parent / "kernels", **options)


async def answer(engine: Engine, call: Call, *, leaves_after: int = 99, **place: Any) -> Answer | None:
    """None for a caller that leaves before its end."""
    outputs: Answer = []
    async with aclosing(engine.generate(*call, **place)) as stream:
        async for one in stream:
            outputs.append((one.token_id, one.logprob, one.top_logprobs, one.prompt, one.finish_reason))
            if len(outputs) == leaves_after:
                return None
    return outputs


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def alone(model: Path) -> list[Answer | None]:
    async with engine_of(model, prefix_cache_tokens=0, speculative_tokens=0) as engine:
        return [await answer(engine, call) for call in CALLS]


async def ask_at_random(engine: Engine, dice: random.Random) -> list[tuple[int, Answer | BaseException | None]]:
    """Sixty calls by their numbers, and what became of them."""
    asked: list[tuple[int, asyncio.Task[Answer | None]]] = []
    for _ in range(60):
        number = dice.randrange(len(CALLS))
        one = answer(
            engine,
            CALLS[number],
            leaves_after=dice.choice([1, 2, 3, 99, 99, 99, 99, 99]),
            priority=dice.choice([0, 0, 1, 5]),
            cache_salt=dice.choice(["", "", "salt"]),
        )
        asked.append((number, asyncio.create_task(one)))
        if dice.random() < 0.2:
            dice.choice(asked)[1].cancel()
        if dice.random() < 0.3:
            await asyncio.wait([task for _, task in asked], return_when="FIRST_COMPLETED")
        for _ in range(dice.randint(0, 5)):
            await asyncio.sleep(0)
    found = await asyncio.gather(*(task for _, task in asked), return_exceptions=True)
    return [(number, one) for (number, _), one in zip(asked, found, strict=True)]


def options_of(dice: random.Random) -> dict[str, Any]:
    return {
        "max_batch_size": dice.choice([2, 4, 16]),
        "max_step_tokens": dice.choice([16, 40, 512]),
        "prefill_chunk_tokens": dice.choice([None, 3, 20]),
        "kv_cache_bytes": dice.choice([5, 8, 12, 60]) * PAGE_BYTES,
        "prefix_cache_tokens": dice.choice([None, 0, 64]),
        "speculative_tokens": dice.choice([None, 0, 5, 30]),
    }


async def assert_nothing_is_left(engine: Engine) -> None:
    assert len(await ids_of(engine, [5], SamplingParams(max_tokens=3, ignore_eos=True))) == 3
    assert_idle(engine)
    assert engine._room is not None
    assert (engine._room.taken, engine._room.taken_size, engine._streams) == (0, 0, {})


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("seed", range(8))
async def test_whoever_stays_is_told_what_they_are_told_alone(
    model: Path, alone: list[Answer | None], seed: int
) -> None:
    dice = random.Random(seed)
    async with engine_of(model, **options_of(dice)) as engine:
        for number, found in await ask_at_random(engine, dice):
            assert found in (alone[number], None) or isinstance(found, asyncio.CancelledError)
        await assert_nothing_is_left(engine)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("seed", range(8))
async def test_whatever_fails_each_caller_hears_of_it_or_is_told_the_same(
    model: Path, alone: list[Answer | None], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice, raised = random.Random(seed), list[str]()

    def planted(method: Callable[..., Any], failure: type[Exception], share: float) -> Callable[..., Any]:
        def failing(*args: Any) -> Any:
            if dice.random() < share:
                raised.append(failure.__name__)
                raise failure("planted")
            return method(*args)

        return failing

    async with engine_of(model, **options_of(dice)) as engine:
        with monkeypatch.context() as patched:
            for owner, name, failure, share in (
                (PackedRunner, "compute", MemoryError, 0.2),
                (PackedRunner, "compute", ZeroDivisionError, 0.02),
                (PackedRunner, "logits", ZeroDivisionError, 0.01),
                (PackedRunner, "sample_guessed", ZeroDivisionError, 0.1),
                (Sequence, "append", ZeroDivisionError, 0.1),
            ):
                patched.setattr(owner, name, planted(getattr(owner, name), failure, share))
            asked = await ask_at_random(engine, dice)
        for number, found in asked:
            assert found in (alone[number], None) or isinstance(found, StackError | asyncio.CancelledError)
        assert raised
        await assert_nothing_is_left(engine)
