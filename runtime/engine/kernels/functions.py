"""Kernels of single rows: norm, gate, rotation, and what they are made of."""

from __future__ import annotations

import math

from llvmlite import ir

from runtime.engine.kernels.builder import F32, FLOATS, I8, I32, I64, LANES, POINTER, Kernel, Value
from runtime.engine.kernels.packing import COLUMNS, RECORD_BYTES

_LOWEST, _HIGHEST = -87.0, 88.0
"""Beyond these, e to the power of a float32 is denormal or infinite."""
# The Taylor series of e^r to the sixth power; with |r| <= ln(2) / 2 the rest is below one part in 8 million.
_SERIES = [1 / math.factorial(power) for power in range(7)]


def exponential(kernel: Kernel, x: Value) -> Value:
    """e to the power of each lane of x, [16] float32, to about 2e-7 of itself. Below -87 it is 0; NaN stays.

    With e^x = 2^n * e^r, where n is x / ln(2) rounded and r is what is left: Muller 2016, section 5.2.
    """
    at = kernel.at
    bounded = kernel.choose(x < _LOWEST, kernel.constant(_LOWEST, FLOATS), x)
    bounded = kernel.choose(kernel.constant(_HIGHEST, FLOATS) < bounded, kernel.constant(_HIGHEST, FLOATS), bounded)
    count = (bounded * (1 / math.log(2))).rounded()
    # ln(2) in two parts, of which the first has so few bits that its product is exact.
    rest = count.times_plus(kernel.constant(-0.693359375, FLOATS), bounded)
    rest = count.times_plus(kernel.constant(2.12194440e-4, FLOATS), rest)
    total = kernel.constant(_SERIES[-1], FLOATS)
    for term in reversed(_SERIES[:-1]):
        total = total.times_plus(rest, kernel.constant(term, FLOATS))
    is_number = Value(kernel, at.fcmp_ordered("ord", x.raw, x.raw))
    power = kernel.choose(is_number, count, kernel.zeros(FLOATS)).to_ints() + 127
    scaled = total * (power << 23).seen_as(FLOATS)
    return kernel.choose(x < _LOWEST, kernel.zeros(FLOATS), scaled)


def add_norm(module: ir.Module, *, size: int, eps: float) -> Kernel:
    """norm(x, weight, out): root-mean-square normalisation. Zhang and Sennrich 2019, eq. 4. All [size] float32."""
    kernel = Kernel(module, f"norm_{size}", is_internal=True, x=POINTER, weight=POINTER, out=POINTER)
    squares = kernel.variable(kernel.zeros(FLOATS))
    with kernel.loop(0, size * 4, LANES * 4) as at:
        x = kernel.load(kernel["x"], FLOATS, at)
        squares.set(x.times_plus(x, squares.get()))
    mean = squares.get().sum() * (1 / size) + eps
    scale = kernel.splat(kernel.constant(1.0, F32) / mean.root())
    with kernel.loop(0, size * 4, LANES * 4) as at:
        x = kernel.load(kernel["x"], FLOATS, at) * scale
        kernel.store(x * kernel.load(kernel["weight"], FLOATS, at), kernel["out"], at)
    kernel.end()
    return kernel


def add_gate(module: ir.Module, *, size: int) -> Kernel:
    """gate(x, up, out): x / (1 + e^-x) * up. Shazeer 2020 (GLU variants), eq. 6. All [size] float32."""
    kernel = Kernel(module, "gate", is_internal=True, x=POINTER, up=POINTER, out=POINTER)
    with kernel.loop(0, size * 4, LANES * 4) as at:
        x = kernel.load(kernel["x"], FLOATS, at)
        opened = x / (exponential(kernel, kernel.zeros(FLOATS) - x) + 1.0)
        kernel.store(opened * kernel.load(kernel["up"], FLOATS, at), kernel["out"], at)
    kernel.end()
    return kernel


def add_rotate(module: ir.Module, *, head_dim: int) -> Kernel:
    """rotate(x, cos, sin): a head's channels i and i + head_dim / 2, in place. Su et al. 2021 (RoFormer), eq. 34.

    x: [head_dim] float32; cos, sin: [head_dim / 2] float32.
    """
    kernel = Kernel(module, "rotate", is_internal=True, x=POINTER, cos=POINTER, sin=POINTER)
    half = head_dim // 2
    kind = ir.VectorType(F32, math.gcd(half, LANES))
    with kernel.loop(0, half * 4, kind.count * 4) as at:
        first, second = kernel.load(kernel["x"], kind, at), kernel.load(kernel["x"], kind, at + half * 4)
        cos, sin = kernel.load(kernel["cos"], kind, at), kernel.load(kernel["sin"], kind, at)
        kernel.store(first * cos - second * sin, kernel["x"], at)
        kernel.store(second * cos + first * sin, kernel["x"], at + half * 4)
    kernel.end()
    return kernel


def add_unpack_row(module: ir.Module, bits: int, *, columns: int) -> Kernel:
    """unpack_row(weights, row, out): one row of a packed matrix. out: [columns] float32."""
    kernel = Kernel(module, f"unpack_row_{bits}", is_internal=True, weights=POINTER, row=I64, out=POINTER)
    blocks, lane = columns // COLUMNS, kernel["row"] % LANES
    panel = kernel.place(kernel["weights"], kernel["row"] // LANES * (blocks * RECORD_BYTES[bits]))
    half = ir.HalfType()
    four = ir.VectorType(I8, 4)
    with kernel.loop(0, blocks) as block:
        record = kernel.place(panel, block * RECORD_BYTES[bits])
        out = kernel.place(kernel["out"], block * (COLUMNS * 4))
        scale = kernel.load(record, half, lane * 2 + 64 * bits).to_floats()
        for group in range(bits):
            quants = kernel.load(record, four, lane * 4 + 64 * group).wide(I32, signed=False)
            if bits == 8:
                parts = [(quants - 128).to_floats() * kernel.splat(scale, 4)]
            else:
                least = kernel.splat(kernel.load(record, half, lane * 2 + 288).to_floats(), 4)
                parts = [
                    part.to_floats().times_plus(kernel.splat(scale, 4), least) for part in (quants & 15, quants >> 4)
                ]
            for place, part in enumerate(parts):
                kernel.store(part, out, (group * len(parts) + place) * 16)
    kernel.end()
    return kernel
