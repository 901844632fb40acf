"""Engines over a tiny random model: real steps, in a thread that ends with the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import torch

from runtime.engine.engine import Engine
from runtime.engine.requests.messages import TokenOutput
from runtime.engine.requests.sampling_params import SamplingParams
from runtime.engine.running.options import EngineOptions
from tests.support.tiny_llama import random_weights, tiny_config

CONFIG = tiny_config(eos_token_ids=(127,))
WEIGHTS = random_weights(CONFIG, seed=1)
GREEDY = SamplingParams(temperature=0, max_tokens=8, ignore_eos=True)
ENDLESS = SamplingParams(temperature=0, ignore_eos=True)
PAGE_TOKENS = 32
PAGE_BYTES = PAGE_TOKENS * CONFIG.kv_elements_per_token * 4


@asynccontextmanager
async def running(model: Path, **options: Any) -> AsyncIterator[Engine]:
    """A started engine, stopped afterwards; nothing in a test may hang for longer than this."""
    engine = Engine(EngineOptions(model=model, **{"dtype": "float32", "threads": 1, **options}))
    async with asyncio.timeout(60):
        await engine.start()
        try:
            yield engine
        finally:
            await engine.stop()


async def outputs_of(
    engine: Engine, prompt: list[int], params: SamplingParams = GREEDY, **place: Any
) -> list[TokenOutput]:
    """place: in the line, as `Engine.generate` takes it."""
    return [output async for output in engine.generate(prompt, params, **place)]


async def ids_of(engine: Engine, prompt: list[int], params: SamplingParams = GREEDY, **place: Any) -> list[int]:
    return [output.token_id for output in await outputs_of(engine, prompt, params, **place)]


def prompts(count: int, seed: int = 0) -> list[list[int]]:
    dice = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, 90, (count,), generator=dice).tolist()
    return [torch.randint(3, 120, (length,), generator=dice).tolist() for length in lengths]


def assert_idle(engine: Engine) -> None:
    stats = engine.stats()
    assert (stats.running, stats.waiting, stats.pages_used) == (0, 0, 0)
