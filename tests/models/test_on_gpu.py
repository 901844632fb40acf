"""The engine on a real GPU, where there is one: CUDA's capture, torch's attention, measured memory.

Run once, on an H100 with torch 2.11: what needs a newer torch has not been run yet, and what fails there first is more
likely an error of ours than of the machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from runtime.engine.engine import Engine
from runtime.engine.layers.varlen import AttentionSetup, attention_over_pages, find_kernel
from runtime.engine.memory.hardware import probe_hardware
from runtime.engine.requests.sampling_params import SamplingParams
from runtime.engine.running.options import EngineOptions
from runtime.engine.running.torch_runner import TorchRunner
from tests.support.tiny_engine import CONFIG, WEIGHTS, assert_idle, ids_of, prompts
from tests.support.tiny_llama import write_hugging_face

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")
READS_PAGES = attention_over_pages() is not None
needs_pages = pytest.mark.skipif(not READS_PAGES, reason="attention that reads pages came with torch 2.12")

WAYS = (
    SamplingParams(temperature=0, max_tokens=30, ignore_eos=True),
    SamplingParams(temperature=1, top_p=0.9, seed=3, max_tokens=30, ignore_eos=True),
    SamplingParams(temperature=1, seed=4, max_tokens=17, stop_token_ids=frozenset(range(60, 63))),
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_hugging_face(tmp_path_factory.mktemp("tiny"), CONFIG, WEIGHTS)


@contextmanager
def waiting_for_every_token() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(TorchRunner, "can_follow", False)
        yield


async def all_ids(model: Path, *, together: bool) -> list[list[int]]:
    engine = Engine(EngineOptions(model=model, device="cuda", max_batch_size=8, split_attention=False))
    async with asyncio.timeout(50):
        await engine.start()
        try:
            asked = [(prompt, way) for prompt, way in zip(prompts(9), WAYS * 3, strict=True)]
            if together:
                found = await asyncio.gather(*[ids_of(engine, *one) for one in asked])
            else:
                found = [await ids_of(engine, *one) for one in asked]
            assert_idle(engine)
            stats = engine.stats()
            if READS_PAGES:  # else there are no graphs
                assert stats.graph_captures == 4  # of 1, 2, 4 and 8 rows
                assert stats.graph_replays > stats.eager_steps
            assert engine.plan.dtype == "bfloat16" and engine.plan.kv_bytes < engine.plan.free_bytes
            return found
        finally:
            await engine.stop()


@needs_pages
def test_torch_s_attention_reads_the_pages_that_are_planned_for_it() -> None:
    [gpu, *_] = probe_hardware().gpus
    setup = AttentionSetup(
        heads=32,
        kv_heads=8,
        head_dim=128,
        page_size=gpu.flash_page_tokens or 16,
        dtype=torch.bfloat16,
        device=torch.device("cuda:0"),
    )
    with torch.inference_mode():
        assert find_kernel(setup)


@needs_pages
async def test_overlapped_steps_give_the_tokens_of_steps_that_wait(model: Path) -> None:
    """One request at a time, so that both ways compute the same batches."""
    overlapped = await all_ids(model, together=False)
    with waiting_for_every_token():
        assert await all_ids(model, together=False) == overlapped


async def test_requests_that_come_together_all_end(model: Path) -> None:
    """What they say may differ from what each says alone: products of other sizes round otherwise."""
    found = await all_ids(model, together=True)
    assert [len(ids) for ids, way in zip(found, WAYS * 3, strict=True) if way.ignore_eos] == [30] * 6
