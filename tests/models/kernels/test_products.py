"""Products of packed weights: equal to exact arithmetic on the quantised numbers, by every way that this CPU has."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import gguf
import numpy as np
import pytest
from llvmlite import ir

from runtime.engine.checkpoints.dequantize import FORMATS, dequantize
from runtime.engine.kernels.dot import DOTS, Dot, best_dot
from runtime.engine.kernels.pack import Packer
from runtime.engine.kernels.packing import KINDS, Packed, empty_packed, packed_bytes
from runtime.engine.kernels.products import MOST_TOKENS, add_multiply, add_quantize
from tests.support.compiled_kernels import HERE, assembly_for, exported, features_for
from tests.support.unpacking import unpacked

Call = Callable[..., None]
INPUTS = {"Q4_K": 512}


@cache
def packer() -> Packer:
    return Packer(None)


def packed(kind: str, outputs: int, inputs: int, seed: int = 0) -> tuple[Packed, np.ndarray]:
    """A random matrix, packed, and its values as ggml decodes them."""
    random = np.random.default_rng(seed)
    if kind == "Q4_K":  # the package `gguf` does not write it
        blocks = random.integers(0, 256, (outputs, inputs // 256, 144)).astype(np.uint8)
        blocks[..., :4] = random.uniform(0.001, 0.02, (outputs, inputs // 256, 2)).astype(np.float16).view(np.uint8)
        data = blocks.reshape(-1)
    else:
        values = random.standard_normal((outputs, inputs)).astype(np.float32)
        data = gguf.quants.quantize(values, gguf.GGMLQuantizationType[kind]).reshape(-1)
    matrix = empty_packed(KINDS[kind], outputs, inputs)
    packer().pack(matrix, 0, data, kind)
    format_ = next(format_ for format_ in FORMATS.values() if format_.name == kind)
    return matrix, dequantize(data, format_).reshape(outputs, inputs)


@pytest.mark.parametrize("outputs", [16, 48, 40])
@pytest.mark.parametrize("kind", KINDS)
def test_packing_loses_nothing(kind: str, outputs: int) -> None:
    matrix, values = packed(kind, outputs, INPUTS.get(kind, 96))
    if kind == "Q4_K":
        np.testing.assert_allclose(unpacked(matrix), values, rtol=0, atol=2e-3 * np.abs(values).max())
    else:
        assert np.array_equal(unpacked(matrix), values)
    assert matrix.data.nbytes == packed_bytes(matrix.bits, values.shape)


def test_rows_can_be_put_in_another_order_and_come_in_pieces() -> None:
    values = np.random.default_rng(1).standard_normal((64, 32)).astype(np.float32)
    data = gguf.quants.quantize(values, gguf.GGMLQuantizationType.Q4_1).reshape(64, -1)
    order = np.random.default_rng(2).permutation(64)
    whole, pieces = empty_packed(4, 64, 32), empty_packed(4, 64, 32)
    packer().pack(whole, 0, data.reshape(-1), "Q4_1", order)
    for first in (0, 16, 48):
        packer().pack(pieces, first, data[order][first : first + (32 if first == 16 else 16)].reshape(-1), "Q4_1")
    assert np.array_equal(whole.data, pieces.data)


@pytest.fixture(scope="module")
def quantize() -> Call:
    module = ir.Module()
    return exported(module, add_quantize(module))


def test_tokens_are_quantised_to_the_nearest_of_255_steps(quantize: Call) -> None:
    x = np.random.default_rng(0).standard_normal(128).astype(np.float32)
    x[32:64] = 0
    x[64] = -1000.0
    quants, notes = np.empty(128, np.int8), np.empty((4, 4), np.float32)
    quantize(x, quants, notes, 128)
    blocks, steps = x.reshape(4, 32), notes[:, :1]
    assert np.array_equal(steps[:, 0], np.abs(blocks).max(axis=1) / np.float32(127))
    assert np.abs(quants.reshape(4, 32) * steps - blocks).max() <= steps.max() * 0.5001
    sums = quants.reshape(4, 32).astype(np.int32).sum(axis=1)
    assert np.array_equal(notes[:, 1], steps[:, 0] * sums.astype(np.float32))
    assert np.array_equal(notes[:, 2].view(np.int32), -128 * sums)
    assert not quants[32:64].any() and quants[64] == -127


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_not_lost(quantize: Call, bad: float) -> None:
    x = np.ones(64, np.float32)
    x[40] = bad
    quants, notes = np.empty(64, np.int8), np.empty((2, 4), np.float32)
    quantize(x, quants, notes, 64)
    assert np.isfinite(notes[0, 0]) and np.isnan(notes[1, 0])
    assert not quants[32:].any() and notes[1, 2].view(np.int32) == 0


@pytest.mark.parametrize("size", [1e-31, 1e-38, 1e-45])
def test_numbers_too_small_to_be_quantised_count_as_zeros(quantize: Call, size: float) -> None:
    x = np.full(32, size, np.float32)
    x[::3] = 0
    quants, notes = np.full(32, 7, np.int8), np.empty((1, 4), np.float32)
    quantize(x, quants, notes, 32)
    assert not quants.any() and notes[0, 1] == 0 and notes[0, 2].view(np.int32) == 0


@pytest.mark.parametrize("dot", HERE, ids=lambda dot: dot.name)
@pytest.mark.parametrize("kind", KINDS)
def test_products_equal_exact_arithmetic(dot: Dot, kind: str, quantize: Call) -> None:
    size = INPUTS.get(kind, 96)
    blocks = size // 32
    matrix, _ = packed(kind, 48, size)
    values = unpacked(matrix)
    module = ir.Module()
    multiply = exported(module, add_multiply(module, dot, matrix.bits), features=features_for(dot))
    most = 2 * MOST_TOKENS + 3
    x = np.random.default_rng(3).standard_normal((most, size)).astype(np.float32)
    quants, notes = np.empty((most, size), np.int8), np.empty((most, blocks, 4), np.float32)
    for row in range(most):
        quantize(x[row], quants[row], notes[row], size)
    seen = (quants.reshape(most, blocks, 32) * notes[..., :1].astype(np.float64)).reshape(most, size)
    exact = seen @ values.T.astype(np.float64)
    for tokens in (*range(1, MOST_TOKENS + 2), most):
        out = np.full((tokens, 64), 7, np.float32)
        multiply(matrix.data, 0, 3, blocks, quants, notes, tokens, out, 64, 0)
        np.testing.assert_allclose(out[:, :48], exact[:tokens], rtol=0, atol=2e-6 * size)
        assert (out[:, 48:] == 7).all(), "only the panels' columns are written"
        multiply(matrix.data, 1, 2, blocks, quants, notes, tokens, out, 64, 1)
        np.testing.assert_allclose(out[:, 16:32], 2 * exact[:tokens, 16:32], rtol=0, atol=4e-6 * size)


@pytest.mark.parametrize("dot", HERE, ids=lambda dot: dot.name)
def test_the_largest_sums_do_not_overflow(dot: Dot, quantize: Call) -> None:
    matrix = empty_packed(8, 16, 4096)
    data = np.zeros((16, 128, 34), np.uint8)
    data[..., :2] = np.array([1], np.float16).view(np.uint8)
    data[..., 2:] = np.where(np.arange(16) % 2, 127, -127).astype(np.int8).view(np.uint8)[:, None, None]
    packer().pack(matrix, 0, data.reshape(-1), "Q8_0")
    module = ir.Module()
    multiply = exported(module, add_multiply(module, dot, 8), features=features_for(dot))
    x, quants, notes = np.full(4096, -1, np.float32), np.empty(4096, np.int8), np.empty((128, 4), np.float32)
    quantize(x, quants, notes, 4096)
    out = np.empty((1, 16), np.float32)
    multiply(matrix.data, 0, 1, 128, quants, notes, 1, out, 16, 0)
    np.testing.assert_allclose(out[0], np.where(np.arange(16) % 2, -127, 127) * 4096.0, rtol=1e-5)


def test_a_row_s_product_does_not_depend_on_the_others(quantize: Call) -> None:
    matrix, _ = packed("Q4_1", 32, 64)
    module = ir.Module()
    multiply = exported(module, add_multiply(module, HERE[0], 4))
    x = np.random.default_rng(5).standard_normal((11, 64)).astype(np.float32)
    quants, notes = np.empty((11, 64), np.int8), np.empty((11, 2, 4), np.float32)
    for row in range(11):
        quantize(x[row], quants[row], notes[row], 64)
    together = np.empty((11, 32), np.float32)
    multiply(matrix.data, 0, 2, 2, quants, notes, 11, together, 32, 0)
    for row in range(11):
        alone = np.empty((1, 32), np.float32)
        multiply(matrix.data, 0, 2, 2, quants[row], notes[row], 1, alone, 32, 0)
        assert np.array_equal(alone[0], together[row])


@pytest.mark.parametrize(
    ("features", "name"),
    [
        ("avx512vnni avx512bw avx512vl avx2", "avx512-vnni"),
        ("avxvnni avx2", "avx-vnni"),
        ("avx2 fma", "avx2"),
        ("neon dotprod", "sdot"),
        ("neon", "plain"),
    ],
)
def test_a_cpu_gets_the_fastest_way_it_has(features: str, name: str) -> None:
    assert best_dot(features.split()).name == name


@pytest.mark.parametrize(("bits", "instruction"), [(4, "sdot"), (8, "sdot")])
def test_an_arm_cpu_is_given_its_own_instruction(bits: int, instruction: str) -> None:
    module = ir.Module()
    add_multiply(module, next(dot for dot in DOTS if dot.name == "sdot"), bits).function.linkage = ""
    assembly = assembly_for(module, "aarch64-unknown-linux-gnu", "+dotprod,+neon,+fullfp16")
    assert instruction in assembly and "fmla" in assembly
