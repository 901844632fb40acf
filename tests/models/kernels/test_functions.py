"""Kernels of single rows against numpy in float64."""

from __future__ import annotations

import numpy as np
import pytest
from llvmlite import ir

from runtime.engine.kernels.builder import FLOATS, POINTER, Kernel
from runtime.engine.kernels.functions import add_gate, add_norm, add_rotate, add_unpack_row, exponential
from tests.models.kernels.test_products import packed
from tests.support.compiled_kernels import exported
from tests.support.unpacking import unpacked


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def exponentials(x: np.ndarray) -> np.ndarray:
    module = ir.Module()
    kernel = Kernel(module, "exponential", x=POINTER, out=POINTER)
    kernel.store(exponential(kernel, kernel.load(kernel["x"], FLOATS)), kernel["out"])
    kernel.end()
    call, out = exported(module, kernel), np.empty_like(x)
    for at in range(0, len(x), 16):
        part = np.empty(16, np.float32)
        call(np.ascontiguousarray(x[at : at + 16]), part)
        out[at : at + 16] = part
    return out


def test_the_exponential_is_right_to_two_units_of_float32() -> None:
    x = np.linspace(-86.9, 87.9, 16 * 4000, dtype=np.float32)
    exact = np.exp(x.astype(np.float64))
    assert np.abs(exponentials(x) / exact - 1).max() <= 2.5e-7


def test_the_exponential_at_its_ends() -> None:
    x = np.array([0, -0.0, -87.5, -1e30, -np.inf, np.nan, 1, -1] * 2, np.float32)
    found = exponentials(x)
    assert found[0] == found[1] == 1 and not found[2:5].any() and np.isnan(found[5])
    assert np.isfinite(exponentials(np.full(16, 1e30, np.float32))).all(), "e^88 is the largest"


def test_norm_equals_numpy() -> None:
    module = ir.Module()
    norm = exported(module, add_norm(module, size=96, eps=1e-5))
    x, weight, out = random(96) * 3, random(96, seed=1), np.empty(96, np.float32)
    norm(x, weight, out)
    exact = x.astype(np.float64)
    exact = exact / np.sqrt((exact**2).mean() + 1e-5) * weight
    np.testing.assert_allclose(out, exact, rtol=3e-7, atol=1e-7)


def test_gate_equals_numpy() -> None:
    module = ir.Module()
    gate = exported(module, add_gate(module, size=64))
    x, up, out = random(64) * 20, random(64, seed=1), np.empty(64, np.float32)
    x[0], x[1] = 500, -500
    gate(x, up, out)
    exact = x.astype(np.float64)
    with np.errstate(over="ignore"):
        exact = exact / (1 + np.exp(-exact)) * up
    np.testing.assert_allclose(out, exact, rtol=1e-6, atol=1e-30)


@pytest.mark.parametrize("dim", [16, 32, 48, 64, 80, 128])
def test_rotation_equals_complex_numbers(dim: int) -> None:
    module = ir.Module()
    rotate = exported(module, add_rotate(module, head_dim=dim))
    x, angles = random(dim), np.random.default_rng(1).uniform(0, 6, dim // 2)
    exact = (x[: dim // 2] + 1j * x[dim // 2 :]) * np.exp(1j * angles)
    rotate(x, np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32))
    np.testing.assert_allclose(x, np.concatenate([exact.real, exact.imag]), atol=1e-6)


@pytest.mark.parametrize("kind", ["Q4_1", "Q8_0"])
def test_a_row_is_unpacked_as_all_are(kind: str) -> None:
    matrix, _ = packed(kind, 40, 96)
    module = ir.Module()
    unpack = exported(module, add_unpack_row(module, matrix.bits, columns=96))
    out = np.empty(96, np.float32)
    for row in (0, 15, 16, 39):
        unpack(matrix.data, row, out)
        np.testing.assert_allclose(out, unpacked(matrix)[row], rtol=1e-6, atol=1e-7)
