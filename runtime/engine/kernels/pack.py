"""Kernels that pack blocks of GGUF files (`packing.py`), at the speed of memory."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from runtime.engine.kernels.builder import F16, I8, I16, I32, I64, LANES, POINTER, Kernel, Value
from runtime.engine.kernels.compiled import compiled
from runtime.engine.kernels.packing import COLUMNS, KINDS, RECORD_BYTES, ROWS, Packed

Bytes = NDArray[np.uint8]
_ARGUMENTS = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64)


@dataclass(frozen=True)
class _Block:
    """Where things lie in a block of a file: `least` is None where it follows from the scale."""

    size: int
    quants: int
    least: int | None


_BLOCKS = {"Q4_0": _Block(18, 2, None), "Q4_1": _Block(20, 4, 2), "Q8_0": _Block(34, 2, None)}


class Packer:
    """kept: the folder for compiled kernels."""

    def __init__(self, kept: Path | None) -> None:
        self._compiled = compiled("pack", _module, kept)
        self._functions: dict[str, Callable[..., None]] = {
            kind: self._compiled.function(f"pack_{kind}", *_ARGUMENTS) for kind in KINDS
        }

    def pack(self, target: Packed, first: int, data: Bytes, kind: str, order: NDArray[np.int64] | None = None) -> None:
        """Put the blocks of a GGUF tensor into rows `first` and following.

        first: a multiple of 16. data: [bytes], uint8, as in the file. order: [rows], int64, which of its rows comes
        where; None for as they are.
        """
        blocks = target.inputs // COLUMNS
        rows = len(data) // (_BLOCKS[kind].size * blocks)
        places = np.arange(rows) if order is None else np.ascontiguousarray(order, np.int64)
        out = target.data[first // ROWS :]
        assert len(places) == rows <= len(out) * ROWS and data.flags.c_contiguous
        self._functions[kind](data.ctypes.data, places.ctypes.data, rows, out.ctypes.data, blocks)


def _module() -> ir.Module:
    module = ir.Module("pack")
    for kind in KINDS:
        _add_pack(module, kind)
    return module


def _add_pack(module: ir.Module, kind: str) -> None:
    """pack(data, order, rows, out, blocks)."""
    bits, block_of = KINDS[kind], _BLOCKS[kind]
    kernel = Kernel(module, f"pack_{kind}", data=POINTER, order=POINTER, rows=I64, out=POINTER, blocks=I64)
    blocks = kernel["blocks"]
    with kernel.loop(0, kernel["rows"]) as row:
        source = kernel.place(kernel["data"], kernel.load(kernel["order"], I64, row * 8) * blocks * block_of.size)
        lane = row % LANES
        panel = kernel.place(kernel["out"], row // LANES * blocks * RECORD_BYTES[bits])
        with kernel.loop(0, blocks) as block:
            given = kernel.place(source, block * block_of.size)
            record = kernel.place(panel, block * RECORD_BYTES[bits])
            for at, four in enumerate(_groups(kernel, kernel.place(given, block_of.quants), bits)):
                kernel.store(four.seen_as(I32), record, lane * 4 + 64 * at)
            scale = kernel.load(given, I16)
            kernel.store(scale, record, lane * 2 + 64 * bits)
            if bits == 4:
                least = _times_minus_8(scale) if block_of.least is None else kernel.load(given, I16, block_of.least)
                kernel.store(least, record, lane * 2 + 288)
    kernel.end()


def _groups(kernel: Kernel, quants: Value, bits: int) -> list[Value]:
    """The four bytes of each group of columns: [4] int8."""
    if bits == 8:
        whole = kernel.load(quants, ir.VectorType(I8, COLUMNS)) ^ -128
        return [whole.part(range(at, at + 4)) for at in range(0, COLUMNS, 4)]
    # A byte of the file has the columns c and c + 16, one of ours c and c + 4.
    both = kernel.load(quants, ir.VectorType(I8, 16))
    halves = (both & 15, both >> 4)
    return [half.part(range(at, at + 4)) | half.part(range(at + 4, at + 8)) << 4 for half in halves for at in (0, 8)]


def _times_minus_8(scale: Value) -> Value:
    """Of the bits of a float16."""
    return (scale.seen_as(F16).to_floats() * -8.0).to_halves().seen_as(I16)
