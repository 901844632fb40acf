"""Products of small integers, by what a CPU has for them: sixteen rows of four weights times four activations.

    acc[row] += sum of weights[row][column] * activations[column]       row 0 to 15, column 0 to 3

Weights are bytes: 0 to 15 (4 bits) or 0 to 255 (8 bits, with 128 added). Where an instruction wants signed bytes the
128 is taken away here, and else by whoever starts the sum (`Dot.adds_128`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from llvmlite import ir

from runtime.engine.kernels.builder import BYTES, I8, I16, I32, INTS, Kernel, Value


@dataclass(frozen=True, kw_only=True)
class Dot:
    """One way to multiply. needs: features of the CPU, any of these sets. adds_128: whether 8-bit weights count
    128 more than they are. step: (kernel, sums [16] int32, weights [64] int8, activations [1] int32, bits) -> new sums.
    """

    name: str
    needs: tuple[frozenset[str], ...]
    adds_128: bool
    step: Callable[[Kernel, Value, Value, Value, int], Value]


def best_dot(features: Collection[str]) -> Dot:
    """The fastest one for a CPU with these features."""
    return next(dot for dot in DOTS if any(need <= set(features) for need in dot.needs))


def _halves(value: Value) -> tuple[Value, Value]:
    count = value.type.count
    return value.part(range(count // 2)), value.part(range(count // 2, count))


def _vnni_512(kernel: Kernel, sums: Value, weights: Value, activations: Value, bits: int) -> Value:
    """VPDPBUSD: Intel's instruction set reference, volume 2C."""
    spread = kernel.splat(activations).seen_as(BYTES)
    return kernel.call_intrinsic("llvm.x86.avx512.vpdpbusd.512", INTS, [sums, weights, spread])


def _vnni_256(kernel: Kernel, sums: Value, weights: Value, activations: Value, bits: int) -> Value:
    half = ir.VectorType(I32, 8)
    spread = kernel.splat(activations, 8).seen_as(ir.VectorType(I8, 32))
    parts = [
        kernel.call_intrinsic("llvm.x86.avx512.vpdpbusd.256", half, [a, w, spread])
        for a, w in zip(_halves(sums), _halves(weights), strict=True)
    ]
    return kernel.joined(*parts)


def _avx2(kernel: Kernel, sums: Value, weights: Value, activations: Value, bits: int) -> Value:
    """VPMADDUBSW and VPMADDWD. Sums of two products are 16 bits, so 8-bit weights are taken by size and sign."""
    bytes_, words, ints = (ir.VectorType(kind, count) for kind, count in ((I8, 32), (I16, 16), (I32, 8)))
    spread = kernel.splat(activations, 8).seen_as(bytes_)
    parts = []
    for a, w in zip(_halves(sums), _halves(weights), strict=True):
        size, factor = w, spread
        if bits == 8:
            signed = w ^ -128
            size = kernel.call_intrinsic("llvm.x86.avx2.psign.b", bytes_, [signed, signed])
            factor = kernel.call_intrinsic("llvm.x86.avx2.psign.b", bytes_, [spread, signed])
        pairs = kernel.call_intrinsic("llvm.x86.avx2.pmadd.ub.sw", words, [size, factor])
        ones = kernel.constant(1, words)
        parts.append(a + kernel.call_intrinsic("llvm.x86.avx2.pmadd.wd", ints, [pairs, ones]))
    return kernel.joined(*parts)


def _sdot(kernel: Kernel, sums: Value, weights: Value, activations: Value, bits: int) -> Value:
    """SDOT: Arm Architecture Reference Manual, C7."""
    ints, bytes_ = ir.VectorType(I32, 4), ir.VectorType(I8, 16)
    spread = kernel.splat(activations, 4).seen_as(bytes_)
    signed = weights ^ -128 if bits == 8 else weights
    quarters = [quarter for half in _halves(signed) for quarter in _halves(half)]
    parts = [
        kernel.call_intrinsic("llvm.aarch64.neon.sdot.v4i32.v16i8", ints, [a, w, spread])
        for a, w in zip([quarter for half in _halves(sums) for quarter in _halves(half)], quarters, strict=True)
    ]
    return kernel.joined(kernel.joined(*parts[:2]), kernel.joined(*parts[2:]))


def _plain(kernel: Kernel, sums: Value, weights: Value, activations: Value, bits: int) -> Value:
    """Without any such instruction: one column after the other."""
    lanes = weights.seen_as(INTS)
    for column in range(4):
        weight = (lanes >> 8 * column) & 255
        # Up to the left end and back, which brings the sign along.
        factor = Value(kernel, kernel.at.ashr((activations << 24 - 8 * column).raw, I32(24)))
        sums = sums + weight * kernel.splat(factor)
    return sums


DOTS = (
    Dot(name="avx512-vnni", needs=(frozenset({"avx512vnni", "avx512bw"}),), adds_128=True, step=_vnni_512),
    Dot(
        name="avx-vnni",
        needs=(frozenset({"avxvnni"}), frozenset({"avx512vnni", "avx512vl"})),
        adds_128=True,
        step=_vnni_256,
    ),
    Dot(name="avx2", needs=(frozenset({"avx2"}),), adds_128=False, step=_avx2),
    Dot(name="sdot", needs=(frozenset({"dotprod"}),), adds_128=False, step=_sdot),
    Dot(name="plain", needs=(frozenset(),), adds_128=True, step=_plain),
)
