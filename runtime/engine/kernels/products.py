"""Kernels of matrix products: tokens quantised to 8 bits, times packed weights (`packing.py`).

A token's numbers are quantised in blocks of 32 by the largest magnitude, as llama.cpp does (its type Q8_1). What the
product needs of a block beside the bytes is a note of 16 bytes: the step between two values, that step times the sum of
the block's bytes, and -128 times that sum.

    out[token][row] += step * (scale[row] * sum(q * byte) + least[row] * sum(byte))          over the blocks
"""

from __future__ import annotations

from llvmlite import ir

from runtime.engine.kernels.builder import (
    BYTES,
    F32,
    FLOATS,
    HALVES,
    I8,
    I32,
    I64,
    INTS,
    LANES,
    POINTER,
    Kernel,
    Value,
)
from runtime.engine.kernels.dot import Dot
from runtime.engine.kernels.packing import COLUMNS, RECORD_BYTES

MOST_TOKENS = 8
"""Tokens that a kernel multiplies with weights that it has unpacked once."""
NOTE_BYTES = 16
_LEAST = 1e-30
"""A block without a number above this counts as zeros: 127 divided by much less is infinite."""


def add_quantize(module: ir.Module) -> Kernel:
    """quantize(x, bytes, notes, columns): one token. x: [columns] float32; bytes: [columns] int8; notes: [columns /
    32].

    Numbers that are not finite stay so in the product, by the block's step.
    """
    kernel = Kernel(module, "quantize", is_internal=True, x=POINTER, bytes=POINTER, notes=POINTER, columns=I64)
    with kernel.loop(0, kernel["columns"], COLUMNS) as at:
        x = kernel.place(kernel["x"], at * 4)
        first, second = kernel.load(x, FLOATS), kernel.load(x, FLOATS, 64)
        # A sum of magnitudes is NaN where one of them is, a maximum is not.
        most = first.magnitude().max(second.magnitude()).largest()
        total = (first.magnitude() + second.magnitude()).sum()
        step = most / 127.0
        is_sound = (total - total).equals(0.0)
        inverse = kernel.choose(
            is_sound & (kernel.constant(_LEAST, F32) < most),
            kernel.constant(127.0, F32) / most,
            kernel.constant(0.0, F32),
        )
        step = kernel.choose(is_sound, step, total - total)
        # What is not finite has no integer: 0 stands for it, and the step says it.
        ints = [
            kernel.choose(kernel.splat(is_sound), part * kernel.splat(inverse), kernel.zeros(FLOATS))
            .rounded()
            .to_ints()
            for part in (first, second)
        ]
        for place, part in enumerate(ints):
            kernel.store(part.cut(I8), kernel["bytes"], at + place * LANES)
        count = (ints[0] + ints[1]).sum()
        note = kernel.place(kernel["notes"], at // 2)
        kernel.store(step, note)
        kernel.store(step * count.to_floats(), note, 4)
        kernel.store(count * -128, note, 8)
    kernel.end()
    return kernel


def add_multiply(module: ir.Module, dot: Dot, bits: int) -> Kernel:
    """multiply(weights, first, last, blocks, bytes, notes, tokens, out, width, adds): panels `first` to `last` - 1.

    bytes: [tokens, blocks * 32] int8; notes: [tokens, blocks]; out: [tokens, width] float32, of which the panels'
    columns are written, or added to where `adds` is 1.
    """
    tiles = [_add_tile(module, dot, bits, tokens) for tokens in range(1, MOST_TOKENS + 1)]
    kernel = Kernel(
        module,
        f"multiply_{bits}",
        is_internal=True,
        weights=POINTER,
        first=I64,
        last=I64,
        blocks=I64,
        bytes=POINTER,
        notes=POINTER,
        tokens=I64,
        out=POINTER,
        width=I64,
        adds=I64,
    )
    blocks, tokens = kernel["blocks"], kernel["tokens"]
    with kernel.loop(kernel["first"], kernel["last"]) as panel:
        weights = kernel.place(kernel["weights"], panel * blocks * RECORD_BYTES[bits])

        def tile(number: int, token: Value) -> None:
            kernel.call(
                tiles[number - 1],
                weights,
                blocks,
                kernel.place(kernel["bytes"], token * blocks * COLUMNS),
                kernel.place(kernel["notes"], token * blocks * NOTE_BYTES),
                kernel.place(kernel["out"], (token * kernel["width"] + panel * LANES) * 4),
                kernel["width"],
                kernel["adds"],
            )

        whole = tokens // MOST_TOKENS * MOST_TOKENS
        with kernel.loop(0, whole, MOST_TOKENS) as token:
            tile(MOST_TOKENS, token)
        for left in range(1, MOST_TOKENS):
            with kernel.when((tokens - whole).equals(left)):
                tile(left, whole)
    kernel.end()
    return kernel


def _add_tile(module: ir.Module, dot: Dot, bits: int, tokens: int) -> Kernel:
    """One panel with so many tokens: the weights are unpacked once, the sums stay in registers."""
    kernel = Kernel(
        module,
        f"tile_{bits}_{tokens}",
        is_internal=True,
        weights=POINTER,
        blocks=I64,
        bytes=POINTER,
        notes=POINTER,
        out=POINTER,
        width=I64,
        adds=I64,
    )
    blocks = kernel["blocks"]
    sums = [kernel.variable(kernel.zeros(FLOATS)) for _ in range(tokens)]
    with kernel.loop(0, blocks) as block:
        record = kernel.place(kernel["weights"], block * RECORD_BYTES[bits])
        weights = _unpacked(kernel, record, bits)
        scales = kernel.load(record, HALVES, 64 * bits).to_floats()
        least = kernel.load(record, HALVES, 288).to_floats() if bits == 4 else None
        for token in range(tokens):
            bytes_ = kernel.place(kernel["bytes"], (blocks * token + block) * COLUMNS)
            note = kernel.place(kernel["notes"], (blocks * token + block) * NOTE_BYTES)
            # Several sums at once: each addition waits for the one before it.
            parts = [kernel.zeros(INTS) for _ in range(4 if tokens == 1 else 2 if tokens < 4 else 1)]
            if bits == 8 and dot.adds_128:
                parts[0] = kernel.splat(kernel.load(note, I32, 8))
            for at, weight in enumerate(weights):
                activation = kernel.load(bytes_, I32, 4 * at)
                parts[at % len(parts)] = dot.step(kernel, parts[at % len(parts)], weight, activation, bits)
            while len(parts) > 1:
                parts = [a + b for a, b in zip(parts[::2], parts[1::2], strict=True)]
            step = kernel.splat(kernel.load(note, F32))
            total = parts[0].to_floats().times_plus(scales * step, sums[token].get())
            if least is not None:
                total = least.times_plus(kernel.splat(kernel.load(note, F32, 4)), total)
            sums[token].set(total)
    for token in range(tokens):
        out = kernel.place(kernel["out"], kernel["width"] * (4 * token))
        with kernel.when(kernel["adds"].equals(1)):
            sums[token].set(sums[token].get() + kernel.load(out, FLOATS))
        kernel.store(sums[token].get(), out)
    kernel.end()
    return kernel


def _unpacked(kernel: Kernel, record: Value, bits: int) -> list[Value]:
    """The 8 groups of 4 columns, each 64 bytes."""
    if bits == 8:
        return [kernel.load(record, BYTES, 64 * at) for at in range(8)]
    weights = []
    for at in range(4):
        both = kernel.load(record, BYTES, 64 * at)
        upper = (both.seen_as(INTS) >> 4).seen_as(BYTES)
        weights += [both & 15, upper & 15]
    return weights
