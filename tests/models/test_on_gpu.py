"""The engine on a real GPU, where there is one: CUDA's capture, torch's attention, measured memory.

Run on an H100 with torch 2.11: what needs a newer torch has not been run yet, and what fails there first is more
likely an error of ours than of the machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from runtime.engine.encoders.sentence_encoder import SentenceEncoder
from runtime.engine.encoders.weights import load_encoder
from runtime.engine.engine import Engine
from runtime.engine.layers.varlen import AttentionSetup, attention_over_pages, find_kernel
from runtime.engine.memory.hardware import probe_hardware
from runtime.engine.requests.sampling_params import SamplingParams
from runtime.engine.running.options import EngineOptions
from runtime.engine.running.torch_runner import TorchRunner
from tests.support.tiny_encoder import write_encoder
from tests.support.tiny_engine import CONFIG, ENDLESS, WEIGHTS, assert_idle, ids_of, outputs_of, prompts, running
from tests.support.tiny_llama import write_gguf, write_hugging_face, write_meta

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


@pytest.mark.parametrize("form", ["hugging face", "F32", "Q8_0", "Q4_K", "meta"])
async def test_tokens_are_those_of_the_cpu(form: str, tmp_path: Path) -> None:
    """Whatever the weights came as. Greedy, in float32: so near that the likeliest token is the same."""
    if form == "hugging face":
        path = write_hugging_face(tmp_path, CONFIG, WEIGHTS)
    elif form == "meta":
        path = write_meta(tmp_path, CONFIG, WEIGHTS)
    else:
        path = write_gguf(tmp_path / "model.gguf", CONFIG, WEIGHTS, kind=form)
    found = {}
    for device in ("cpu", "cuda"):
        async with running(path, device=device, dtype="float32") as engine:
            found[device] = [await ids_of(engine, prompt) for prompt in prompts(5)]
            assert_idle(engine)
    assert found["cpu"] == found["cuda"]


async def test_a_prefix_that_is_kept_gives_the_same_tokens(model: Path) -> None:
    prompt = prompts(9)[3] * 4
    async with running(model, device="cuda") as engine:
        assert await ids_of(engine, prompt) == await ids_of(engine, prompt)
        assert engine.stats().pages_kept > 0


async def test_whoever_leaves_frees_the_pages(model: Path) -> None:
    async with running(model, device="cuda") as engine:
        endless = engine.generate(prompts(1)[0], ENDLESS)
        await anext(endless)
        await endless.aclose()
        async with asyncio.timeout(20):
            while engine.stats().running:
                await asyncio.sleep(0)
        assert_idle(engine)


async def test_likeliest_tokens_are_told(model: Path) -> None:
    params = SamplingParams(temperature=0, max_tokens=4, ignore_eos=True, logprobs=3)
    async with running(model, device="cuda", dtype="float32") as engine:
        outputs = await outputs_of(engine, prompts(1)[0], params)
    assert all(output.logprob is not None and output.logprob <= 0 for output in outputs)


def test_sentences_have_the_vectors_of_the_cpu(tmp_path: Path) -> None:
    folder = write_encoder(tmp_path)
    texts = [[2, 5, 9, 3], [2, 7, 3], [2, *range(4, 28), 3]]
    vectors = []
    for device in ("cpu", "cuda"):
        encoder = load_encoder(folder, device)
        assert isinstance(encoder, SentenceEncoder)
        with torch.inference_mode():
            vectors.append(encoder.encode(texts))
    np.testing.assert_allclose(*vectors, atol=1e-5)
