"""Weights in float8: how they are rounded and multiplied, what they take, and models of them through every way.

There is no GPU here. Torch's product in float8 runs on a CPU too, so that what a GPU would be given is computed; that a
GPU takes it is asserted from what torch demands.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from runtime.engine.checkpoints.model_config import CheckpointInvalid
from runtime.engine.checkpoints.opening import open_checkpoint
from runtime.engine.layers import fp8
from runtime.engine.layers.fp8 import FP8, Fp8Linear, Product, decoded, find_product, scaled, why_not
from runtime.engine.memory.needs import weights_bytes
from runtime.engine.models.llama import Llama
from runtime.engine.running.torch_runner import TorchRunner
from tests.support.tiny_engine import CONFIG, WEIGHTS, assert_idle, ids_of, prompts, running
from tests.support.tiny_fp8 import fp8_runner, in_float8, layers_in_float8
from tests.support.tiny_llama import (
    forward,
    load_runner,
    new_sequence,
    random_weights,
    relative_error,
    slow_logits,
    tiny_config,
    write_gguf,
    write_hugging_face,
    write_meta,
)

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
PRODUCTS = pytest.mark.parametrize("product", [decoded, scaled])


@pytest.fixture(autouse=True)
def _inference() -> Iterator[None]:
    with torch.inference_mode():
        yield


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def linear_of(parts: list[Tensor], product: Product = decoded) -> Fp8Linear:
    linear = Fp8Linear(parts[0].shape[1], [len(part) for part in parts], torch.float32, product)
    for place, part in zip(linear.parts(), parts, strict=True):
        place.copy_(part)
    return linear


def kept(linear: Fp8Linear) -> Tensor:
    """What it computes with: [outputs, inputs], float64."""
    return linear.weight.double() * linear.scales.double().T


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_every_row_is_rounded_to_the_nearest_float8(monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype) -> None:
    monkeypatch.setattr(fp8, "_AT_ONCE", 5 * 48)  # five rows, and the last ones fewer
    parts = [(drawn(rows, 48, seed=rows) * torch.logspace(-3, 3, rows)[:, None]).to(dtype) for rows in (32, 7, 9)]
    parts[0][3] = 0
    weight, ours = torch.cat(parts).double(), kept(linear_of(parts))
    nearest = (in_float8(weight) - weight).abs()
    assert ((ours - weight).abs() <= nearest + 1e-6 * weight.abs()).all()  # where two are as near, either will do
    assert ours[3].eq(0).all() and ours.isfinite().all()


@PRODUCTS
@pytest.mark.parametrize("tokens", [1, 3, 17])
def test_products_are_those_of_the_rounded_weights(
    monkeypatch: pytest.MonkeyPatch, product: Product, tokens: int
) -> None:
    monkeypatch.setattr(fp8, "_AT_ONCE", 5 * 48)
    linear = linear_of([drawn(32, 48) * torch.logspace(-3, 3, 32)[:, None], drawn(16, 48, seed=1)], product)
    x = drawn(tokens, 48, seed=2) * torch.logspace(-2, 2, tokens)[:, None]
    x[1:2] = 0
    for dtype, error in ((torch.float32, 1e-6), (torch.bfloat16, 1e-2)):
        given = x.to(dtype)
        ours = linear(given)
        assert ours.dtype == dtype
        as_computed = in_float8(given) if product is scaled else given.double()
        assert relative_error(ours, as_computed @ kept(linear).T) < error


@PRODUCTS
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_not_finite_shows_in_its_row_and_nowhere_else(product: Product, bad: float) -> None:
    part = drawn(32, 48)
    part[5, 7] = bad
    x = drawn(3, 48, seed=1)
    assert linear_of([part], product)(x).isfinite().all(0).tolist() == [row != 5 for row in range(32)]
    x[1, 2] = bad
    assert linear_of([drawn(32, 48)], product)(x).isfinite().all(1).tolist() == [True, False, True]


@pytest.mark.parametrize("tokens", [1, 3, 17])
def test_a_gpu_is_given_what_it_takes(monkeypatch: pytest.MonkeyPatch, tokens: int) -> None:
    """As torch checks it before a product by rows: aten/src/ATen/native/cuda/ScaledBlas.cpp of torch 2.13."""
    real, products = torch._scaled_mm, []

    def checked(a: Tensor, b: Tensor, *, scale_a: Tensor, scale_b: Tensor, out_dtype: torch.dtype) -> Tensor:
        (rows, inner), outputs = a.shape, b.shape[1]
        assert a.dtype == b.dtype == FP8 and scale_a.dtype == scale_b.dtype == torch.float32
        assert a.is_contiguous() and b.T.is_contiguous() and inner % 16 == outputs % 16 == 0
        assert scale_a.shape == (rows, 1) and scale_b.shape == (1, outputs)
        assert scale_a.is_contiguous() and scale_b.is_contiguous()
        assert out_dtype == torch.bfloat16
        products.append((rows, inner, outputs))
        return real(a, b, scale_a=scale_a, scale_b=scale_b, out_dtype=out_dtype)

    monkeypatch.setattr(torch, "_scaled_mm", checked)
    config = tiny_config()
    model = Llama(config, context_tokens=64, dtype=torch.bfloat16, linear=partial(Fp8Linear, product=scaled))
    model.load(random_weights(config).items(), "here")
    layer = model.layers[0]
    for linear, inputs in ((layer.attention.qkv, 64), (layer.attention.o, 96)):
        linear(drawn(tokens, inputs).bfloat16())
    layer.ffn(drawn(tokens, 64).bfloat16())
    assert products == [(tokens, 64, 192), (tokens, 96, 64), (tokens, 64, 192), (tokens, 96, 64)]


def test_what_is_not_whole_tiles_is_decoded() -> None:
    for inputs, outputs in ((40, (32,)), (48, (24, 16)), (48, (20,))):
        assert Fp8Linear(inputs, outputs, torch.bfloat16, scaled).product is decoded
    assert Fp8Linear(48, (24, 8), torch.bfloat16, scaled).product is scaled


def _refusing(x: Tensor, weight: Tensor, scales: Tensor) -> Tensor:
    raise RuntimeError("torch._scaled_mm is only supported on\nothers")


@pytest.mark.parametrize(
    ("product", "reason"),
    [
        (decoded, None),
        (scaled, None),
        (lambda x, weight, scales: scaled(x, weight, scales.flip(1)), "it is off by"),
        (lambda x, weight, scales: scaled(x, weight, scales.mean().expand_as(scales).contiguous()), "it is off by"),
        (lambda x, weight, scales: scaled(x.flip(0), weight, scales), "it is off by"),
        (lambda x, weight, scales: scaled(x, weight, scales) * torch.nan, "it is off by nan for 1 tokens"),
        (_refusing, "RuntimeError: torch._scaled_mm is only supported on"),
    ],
    ids=["decoding", "scaling", "other scales", "one scale", "other tokens", "not finite", "refusing"],
)
def test_a_product_is_tried_before_it_is_used(product: Product, reason: str | None) -> None:
    found = why_not(product, CPU)
    assert found is None if reason is None else found is not None and found.startswith(reason) and "\n" not in found


def test_a_cpu_decodes() -> None:
    assert find_product(CPU) is decoded


@pytest.mark.parametrize(
    ("cuda", "capability", "trial", "product", "reason"),
    [
        ("13.0", (8, 9), None, scaled, None),
        ("13.0", (12, 0), None, scaled, None),
        ("13.0", (9, 0), "it is off by 1", decoded, "it is off by 1"),
        ("13.0", (8, 6), None, decoded, "the GPU has no units for float8"),
        (None, (9, 4), None, decoded, "the GPU has no units for float8"),  # AMD's
    ],
)
def test_a_gpu_multiplies_in_float8_where_that_is_right(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    cuda: str | None,
    capability: tuple[int, int],
    trial: str | None,
    product: Product,
    reason: str | None,
) -> None:
    monkeypatch.setattr(torch.version, "cuda", cuda)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(fp8, "why_not", lambda product, device: trial)
    assert find_product(CUDA) is product
    assert [record.reason for record in caplog.records] == ([reason] if reason else [])


def written(form: str, folder: Path, weights: dict[str, Tensor]) -> Path:
    if form == "hugging face":
        return write_hugging_face(folder, CONFIG, weights, files=2)
    if form == "meta":
        return write_meta(folder, CONFIG, weights, shards=2)
    return write_gguf(folder / "model.gguf", CONFIG, weights, kind=form)


@pytest.mark.parametrize("form", ["hugging face", "meta", "F32", "Q8_0"])
def test_a_checkpoint_of_any_form_is_rounded_as_it_is_loaded(form: str, tmp_path: Path) -> None:
    path = written(form, tmp_path, WEIGHTS)
    stored = layers_in_float8(dict(open_checkpoint(path).weights()))
    model = load_runner(path, dtype="fp8").model
    for number, layer in enumerate(model.layers):
        for linear, names in (
            (layer.attention.qkv, ("attention.q", "attention.k", "attention.v")),
            (layer.attention.o, ("attention.o",)),
            (layer.ffn.gate_up, ("ffn.gate", "ffn.up")),
            (layer.ffn.down, ("ffn.down",)),
        ):
            expected = torch.cat([stored[f"layers.{number}.{name}"] for name in names])
            torch.testing.assert_close(kept(linear), expected, rtol=1e-6, atol=0)
        assert torch.equal(layer.ffn_norm.weight, stored[f"layers.{number}.ffn_norm"].bfloat16())
    assert torch.equal(model.embedding, stored["embedding"].bfloat16())
    assert torch.equal(model.head, stored["head"].bfloat16())


class _LargestCopy(TorchDispatchMode):
    """Elements of the largest tensor that an operator makes, and does not write into one that is there."""

    elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        results = func(*args, **(kwargs or {}))
        given = {one.untyped_storage().data_ptr() for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor)}
        for one in tree_leaves(results):
            if isinstance(one, Tensor) and one.untyped_storage().data_ptr() not in given:
                self.elements = max(self.elements, one.numel())
        return results


def held_bytes(model: nn.Module) -> int:
    """Of its weights: not of the rotary table, which is no parameter and no buffer."""
    tensors = [*model.parameters(), *model.buffers()]
    storages = {one.untyped_storage().data_ptr(): one.untyped_storage().nbytes() for one in tensors}
    return sum(storages.values())


@pytest.mark.parametrize("is_tied", [True, False])
def test_it_takes_what_the_plan_says_and_never_more_than_a_few_rows_beside(
    monkeypatch: pytest.MonkeyPatch, is_tied: bool
) -> None:
    config = tiny_config(is_tied=is_tied)
    monkeypatch.setattr(fp8, "_AT_ONCE", 10 * 96)
    model = Llama(config, context_tokens=64, dtype=torch.bfloat16, linear=Fp8Linear)
    assert held_bytes(model) == weights_bytes(config, "fp8")
    before = {one.data_ptr() for one in (*model.parameters(), *model.buffers())}
    weights = random_weights(config)
    with _LargestCopy() as copies:
        model.load(weights.items(), "here")
    assert 0 < copies.elements <= 10 * 96
    assert {one.data_ptr() for one in (*model.parameters(), *model.buffers())} == before


def test_a_large_llama_takes_little_more_than_half() -> None:
    """Llama 3.1 8B and 70B."""
    for sizes, share in (((32, 4096, 32, 14336), 0.57), ((80, 8192, 64, 28672), 0.52)):
        layers, hidden, heads, ffn = sizes
        config = tiny_config(
            layers=layers, hidden_size=hidden, heads=heads, kv_heads=8, head_dim=128, ffn_size=ffn, vocab_size=128256
        )
        assert weights_bytes(config, "fp8") / weights_bytes(config, "bfloat16") == pytest.approx(share, abs=0.01)


def test_a_checkpoint_that_does_not_fit_the_model_is_refused() -> None:
    model = Llama(CONFIG, context_tokens=64, dtype=torch.bfloat16, linear=Fp8Linear)
    with pytest.raises(CheckpointInvalid, match=r"`layers\.0\.ffn\.up` of `here` has the shape \[95, 64\]"):
        model.load((WEIGHTS | {"layers.0.ffn.up": torch.zeros(95, 64)}).items(), "here")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_hugging_face(tmp_path_factory.mktemp("tiny"), CONFIG, WEIGHTS)


def test_whole_chunked_and_beside_others_a_prompt_has_the_logits_of_the_rounded_weights(model: Path) -> None:
    texts = [
        torch.randint(3, 128, (length,), generator=torch.Generator().manual_seed(length)).tolist()
        for length in (29, 6, 1)
    ]
    runner, rounded = fp8_runner(model), layers_in_float8(WEIGHTS)
    expected = [slow_logits(CONFIG, rounded, text) for text in texts]

    def sequences() -> list[Any]:
        return [
            new_sequence(number, text, list(range(1 + 10 * number, 9 + 10 * number)))
            for number, text in enumerate(texts)
        ]

    ways: dict[str, Callable[[list[Any]], list[list[tuple[Any, int]]]]] = {
        "whole": lambda all: [[(one, one.pending)] for one in all],
        "chunked": lambda all: (
            [[(all[0], count)] for count in (7, 1, 1, 20)] + [[(all[1], 5)], [(all[1], 1)], [(all[2], 1)]]
        ),
        "together": lambda all: [[(all[0], 28), (all[1], 5)], [(one, 1) for one in all]],
    }
    for way, steps in ways.items():
        found = forward(runner, steps(sequences()))
        for number, logits in enumerate(expected):
            assert relative_error(found[number], logits) < 1e-5, way
            assert torch.equal(found[number].argmax(-1), logits.argmax(-1)), way


def test_in_bfloat16_it_is_near(model: Path) -> None:
    text = prompts(9)[3]
    expected = slow_logits(CONFIG, layers_in_float8(WEIGHTS), text)
    runner: TorchRunner = load_runner(model, dtype="fp8")
    found = forward(runner, [[(new_sequence(1, text, list(range(1, 60))), len(text))]])[1]
    assert relative_error(found, expected) < 5e-2


async def test_an_engine_answers_and_a_cpu_is_told_of_a_better_way(
    model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(model, dtype="fp8_mixed", device="cpu") as engine:
        assert engine.plan.dtype == "fp8" and engine.plan.weights_bytes == weights_bytes(CONFIG, "fp8")
        assert len(await ids_of(engine, prompts(1)[0])) == 8
        assert_idle(engine)
    [warning] = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "set `dtype: quantized`" in warning.message
