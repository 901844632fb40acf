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

from runtime.engine.checkpoints.opening import open_checkpoint
from runtime.engine.encoders.sentence_encoder import SentenceEncoder
from runtime.engine.encoders.weights import load_encoder
from runtime.engine.engine import Engine
from runtime.engine.layers.fp8 import Fp8Linear, Product, decoded, scaled, why_not
from runtime.engine.layers.varlen import AttentionSetup, attention_over_pages, find_kernel
from runtime.engine.memory.hardware import probe_hardware
from runtime.engine.memory.needs import weights_bytes
from runtime.engine.memory.plan import MemoryPlan
from runtime.engine.requests.sampling_params import SamplingParams
from runtime.engine.running.options import EngineOptions
from runtime.engine.running.torch_runner import TorchRunner
from tests.support.tiny_encoder import write_encoder
from tests.support.tiny_engine import CONFIG, ENDLESS, WEIGHTS, assert_idle, ids_of, outputs_of, prompts, running
from tests.support.tiny_llama import (
    random_weights,
    relative_error,
    tiny_config,
    write_gguf,
    write_hugging_face,
    write_meta,
)

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")
READS_PAGES = attention_over_pages() is not None
needs_pages = pytest.mark.skipif(not READS_PAGES, reason="attention that reads pages came with torch 2.12")

HAS_FLOAT8 = torch.cuda.is_available() and torch.cuda.get_device_capability() >= (8, 9)
needs_float8 = pytest.mark.skipif(not HAS_FLOAT8, reason="the GPU has no units for float8")

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


async def all_ids(model: Path, *, together: bool, dtype: str = "auto") -> list[list[int]]:
    engine = Engine(EngineOptions(model=model, device="cuda", dtype=dtype, max_batch_size=8, split_attention=False))
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
            assert engine.plan.dtype == ("bfloat16" if dtype == "auto" else dtype)
            assert engine.plan.kv_bytes < engine.plan.free_bytes
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
@pytest.mark.parametrize("dtype", ["auto", "fp8"])
async def test_overlapped_steps_give_the_tokens_of_steps_that_wait(model: Path, dtype: str) -> None:
    """One request at a time, so that both ways compute the same batches."""
    overlapped = await all_ids(model, together=False, dtype=dtype)
    with waiting_for_every_token():
        assert await all_ids(model, together=False, dtype=dtype) == overlapped


@pytest.mark.parametrize("dtype", ["auto", "fp8"])
async def test_requests_that_come_together_all_end(model: Path, dtype: str) -> None:
    """What they say may differ from what each says alone: products of other sizes round otherwise."""
    found = await all_ids(model, together=True, dtype=dtype)
    assert [len(ids) for ids, way in zip(found, WAYS * 3, strict=True) if way.ignore_eos] == [30] * 6


@needs_float8
def test_torch_multiplies_in_float8_as_it_is_asked_to() -> None:
    with torch.inference_mode():
        assert why_not(scaled, torch.device("cuda:0")) is None


@pytest.mark.parametrize("product", [decoded, pytest.param(scaled, marks=needs_float8)])
@pytest.mark.parametrize("tokens", [1, 7, 300])
def test_products_in_float8_are_those_of_the_cpu(product: Product, tokens: int) -> None:
    dice = torch.Generator().manual_seed(0)
    weight, x = torch.randn(192, 64, generator=dice), torch.randn(tokens, 64, generator=dice).bfloat16()
    found = []
    with torch.inference_mode():
        for device in ("cpu", "cuda"):
            with torch.device(device):
                linear = Fp8Linear(64, (96, 96), torch.bfloat16, product)
            for place, part in zip(linear.parts(), weight.split(96), strict=True):
                place.copy_(part)
            found.append((linear.weight.float().cpu(), linear(x.to(device)).cpu()))
    assert (found[0][0] == found[1][0]).float().mean() > 0.99  # where two are nearly as near, either may be taken
    assert relative_error(found[1][1], found[0][1]) < 2e-2


async def test_weights_in_float8_take_half_the_memory_from_the_first_to_the_last(tmp_path: Path) -> None:
    """None of them is ever there in bfloat16: what is taken at most while they are loaded is little more."""
    config = tiny_config(layers=8, hidden_size=1024, heads=8, kv_heads=8, head_dim=128, ffn_size=4096)
    path = write_hugging_face(tmp_path, config, random_weights(config))
    plan = MemoryPlan(
        device="cuda:0", dtype="fp8", weights_bytes=0, page_size=16, pages=2, context_tokens=config.context_length
    )
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    with torch.inference_mode():
        runner = TorchRunner(config, plan)
        runner.model.load(open_checkpoint(path).weights(), path)
        taken, peak = torch.cuda.memory_allocated() - before, torch.cuda.max_memory_allocated() - before
    weights = weights_bytes(config, "fp8")
    assert weights < 0.55 * weights_bytes(config, "bfloat16")
    assert weights <= taken < weights + 4 * 2**20  # the rotary table and two pages of cache
    assert peak < taken + 100 * 2**20  # some rows in float32: in bfloat16 all would take 256 MiB more


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
