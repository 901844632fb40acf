"""Weights that compute NaN or infinity: an error that names the model, for those it concerns, and no JSON of nulls."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from runtime.engine.embedder import Embedder
from runtime.engine.engine import Engine
from runtime.engine.options import EngineOptions
from runtime.engine.sampled import NO_TOKEN
from runtime.engine.sampling_params import SamplingParams
from runtime.engine.sequence import Sequence
from runtime.errors import StackError
from tests.support.samplers import SAMPLERS
from tests.support.tiny_encoder import write_embedder
from tests.support.tiny_llama import random_weights, tiny_config, write_hugging_face

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


async def test_a_prompt_that_meets_damaged_weights_fails_with_the_model_s_name(tmp_path: Path) -> None:
    config = tiny_config()
    weights = random_weights(config)
    weights["embedding"][9] = math.nan
    model = write_hugging_face(tmp_path / "Damaged-1B", config, weights)
    engine = Engine(EngineOptions(model=model, device="cpu", dtype="float32", threads=1))
    await engine.start()
    try:
        for way in WAYS:
            # Without the damaged token itself, which one answer in hundreds would draw.
            params = SamplingParams(max_tokens=3, ignore_eos=True, logit_bias={9: -100.0}, **way)
            # Together in one step: the neighbour goes on.
            damaged, sound = engine.generate([5, 9], params), engine.generate([5, 6], params)
            first = await anext(sound)
            with pytest.raises(StackError, match="`Damaged-1B` computed NaN") as failed:
                await anext(damaged)
            assert (failed.value.status, failed.value.code) == (500, "model_not_finite")
            assert [first.index, *[output.index async for output in sound]] == [0, 1, 2]
        stats = engine.stats()
        assert (stats.running, stats.waiting, stats.pages_used) == (0, 0, 0)
    finally:
        await engine.stop()


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
