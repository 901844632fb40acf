"""Weights that compute NaN or infinity: an error that names the model, for those it concerns, and no JSON of nulls."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from runtime.engine.encoders.embedder import Embedder
from runtime.engine.requests.grammar import Grammars
from runtime.engine.requests.sampling_params import SamplingParams
from runtime.engine.sampling.sampled import NO_TOKEN, Sampled
from runtime.engine.scheduling.sequence import Sequence
from runtime.errors import StackError
from tests.support.samplers import SAMPLERS
from tests.support.tiny_encoder import write_embedder
from tests.support.tiny_engine import PAGE_TOKENS, assert_idle, ids_of, running
from tests.support.tiny_llama import random_weights, tiny_config, write_hugging_face
from tests.support.tiny_packed import PACKED_PAGE_BYTES, spoil, write_quantised

WAYS: list[dict[str, Any]] = [
    {"temperature": 0},
    {"temperature": 1},
    {"temperature": 1, "min_p": 0.1},
    {"temperature": 1, "top_p": 0.5},
    {"temperature": 1, "top_k": 5},
    {"temperature": 1, "top_k": 5, "top_p": 0.5, "min_p": 0.5},
]


def sequence(number: int, **params: Any) -> Sequence:
    return Sequence(id=number, tokens=[1], prompt_length=1, params=SamplingParams(**params), seed=number, max_length=99)


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize(
    "spoil",
    [lambda row: row[7:8].fill_(math.nan), lambda row: row[7:8].fill_(-math.nan), lambda row: row.fill_(math.nan),
     lambda row: row[7:8].fill_(math.inf), lambda row: row.fill_(-math.inf)],
    ids=["one NaN", "one negative NaN", "all NaN", "one infinity", "nothing possible"],
)  # fmt: skip
def test_no_token_is_drawn_from_what_is_no_number_and_neighbours_keep_theirs(
    way: dict[str, Any], spoil: Callable[[torch.Tensor], Any], sampler: str
) -> None:
    sample = SAMPLERS[sampler]
    logits = torch.randn(3, 300, generator=torch.Generator().manual_seed(0))
    sequences = [sequence(number, logprobs=2, **way) for number in range(3)]
    sound = [sampled.token_id for sampled in sample(logits.clone(), sequences)]
    spoil(logits[1])
    assert [sampled.token_id for sampled in sample(logits, sequences)] == [sound[0], NO_TOKEN, sound[2]]


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_no_log_probability_is_no_number_where_a_grammar_leaves_the_damage_out(sampler: str, value: float) -> None:
    letters = [bytes([code]) for code in range(100)]
    grammar = Grammars(tokens=lambda: letters, special_ids=[1], end_ids=[1]).compile("start: /[A-C]{2}/")
    logits = torch.randn(2, 100, generator=torch.Generator().manual_seed(0))
    logits[:, 7] = value
    plain, asking = sequence(0, temperature=0), sequence(1, temperature=0, logprobs=2)
    for one in (plain, asking):
        one.matcher = grammar.matcher()
    found = SAMPLERS[sampler](logits, [plain, asking])
    assert found[0].token_id in b"ABC"
    assert found[1] == Sampled(NO_TOKEN)


def damaged_hugging_face(folder: Path) -> Path:
    """A model of which the token 9 is NaN, computed by torch."""
    config = tiny_config()
    weights = random_weights(config)
    weights["embedding"][9] = math.nan
    return write_hugging_face(folder / "Damaged-1B", config, weights)


def damaged_gguf(folder: Path) -> Path:
    """The same with a block's scale, computed by our kernels."""
    path = write_quantised(folder).rename(folder / "Damaged-1B")
    spoil(path, "token_embd.weight", 9)
    return path


DAMAGED: dict[str, tuple[Callable[[Path], Path], dict[str, Any]]] = {
    "torch": (damaged_hugging_face, {"dtype": "float32"}),
    "kernels": (damaged_gguf, {"dtype": "auto", "device": "cpu"}),
}


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kernels")


@pytest.mark.parametrize("way", DAMAGED)
async def test_a_prompt_that_meets_damaged_weights_fails_with_the_model_s_name(
    tmp_path: Path, kernels: Path, way: str
) -> None:
    write, options = DAMAGED[way]
    async with running(write(tmp_path), kernels_dir=kernels, **options) as engine:
        assert engine.plan.dtype == {"torch": "float32", "kernels": "quantized"}[way]
        for sampling in WAYS:
            # Without the damaged token itself, which one answer in hundreds would draw.
            params = SamplingParams(max_tokens=3, ignore_eos=True, logit_bias={9: -100.0}, **sampling)
            # Together in one step: the neighbour goes on.
            damaged, sound = engine.generate([5, 9], params), engine.generate([5, 6], params)
            first = await anext(sound)
            with pytest.raises(StackError, match="`Damaged-1B` computed NaN") as failed:
                await anext(damaged)
            assert (failed.value.status, failed.value.code) == (500, "model_not_finite")
            assert [first.index, *[output.index async for output in sound]] == [0, 1, 2]
        assert_idle(engine)


@pytest.mark.parametrize("company", [1, 3])
@pytest.mark.parametrize("way", DAMAGED)
async def test_who_gets_the_page_of_a_damaged_prompt_finds_nothing_of_it(
    tmp_path: Path, kernels: Path, way: str, company: int
) -> None:
    write, options = DAMAGED[way]
    page_bytes = PACKED_PAGE_BYTES if way == "kernels" else PAGE_TOKENS * tiny_config().kv_elements_per_token * 4
    async with running(write(tmp_path), kv_cache_bytes=3 * page_bytes, kernels_dir=kernels, **options) as engine:
        assert engine.plan.pages == 4
        prompts = [[5 + number, *[6] * number] for number in range(company)]
        before = [await ids_of(engine, prompt) for prompt in prompts]
        for _ in range(3):
            with pytest.raises(StackError, match="computed NaN"):
                await ids_of(engine, [5] * 40 + [9])
            assert await asyncio.gather(*[ids_of(engine, prompt) for prompt in prompts]) == before


@pytest.mark.parametrize(
    ("kind", "scale"),
    [
        ("Q8_0", math.nan),
        ("Q8_0", -math.inf),
        ("Q4_0", math.nan),
        ("Q4_0", 65504.0),  # the least value of its block is infinite
        ("Q4_1", math.inf),
        ("Q5_1", math.nan),
        ("Q5_1", math.inf),
    ],
)
async def test_a_damaged_layer_fails_every_prompt_and_not_the_engine(
    tmp_path: Path, kernels: Path, kind: str, scale: float
) -> None:
    path = write_quantised(tmp_path, kind=kind)
    spoil(path, "blk.1.ffn_up.weight", slice(None), scale)
    async with running(path, dtype="auto", device="cpu", kernels_dir=kernels) as engine:
        assert engine.plan.dtype == "quantized"
        for _ in range(2):
            with pytest.raises(StackError) as failed:
                await ids_of(engine, [5, 6])
            assert failed.value.code == "model_not_finite"
        assert_idle(engine)


@pytest.mark.parametrize("value", [math.nan, math.inf])
async def test_an_embedding_of_damaged_weights_is_an_error_for_those_it_concerns(tmp_path: Path, value: float) -> None:
    folder = tmp_path / "Damaged-embed"
    folder.mkdir()
    write_embedder(folder)
    weights = load_file(folder / "model.safetensors")
    weights["embeddings.word_embeddings.weight"][4] = value  # `red`
    save_file(weights, folder / "model.safetensors")
    embedder = Embedder(folder, device="cpu", threads=1)
    await embedder.start()
    try:
        with pytest.raises(StackError, match="`Damaged-embed` computed NaN") as failed:
            await embedder.embed(["cat", "red cat"])
        assert (failed.value.status, failed.value.code) == (500, "model_not_finite")
        assert (await embedder.embed(["cat"])).vectors.shape == (1, 24)
    finally:
        await embedder.stop()
