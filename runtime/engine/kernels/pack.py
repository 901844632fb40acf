"""Kernels that pack blocks of GGUF files (`packing.py`), at the speed of memory."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from runtime.engine.kernels.builder import F16, F32, I8, I16, I32, I64, LANES, POINTER, Kernel, Value
from runtime.engine.kernels.compiled import compiled
from runtime.engine.kernels.packing import COLUMNS, KINDS, RECORD_BYTES, ROWS, Packed

Bytes = NDArray[np.uint8]
_ARGUMENTS = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64)


@dataclass(frozen=True)
class _Block:
    """Where things lie in a block of a file: `least` is None where it follows from the scale. columns: of a block."""

    size: int
    quants: int
    least: int | None = None
    columns: int = COLUMNS


_BLOCKS = {"Q4_0": _Block(18, 2), "Q4_1": _Block(20, 4, 2), "Q4_K": _Block(144, 16, columns=256), "Q8_0": _Block(34, 2)}


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
        rows = len(data) // (_BLOCKS[kind].size * target.inputs // _BLOCKS[kind].columns)
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
    """pack(data, order, rows, out, blocks): blocks of 32 columns in a row."""
    bits, given = KINDS[kind], _BLOCKS[kind]
    kernel = Kernel(module, f"pack_{kind}", data=POINTER, order=POINTER, rows=I64, out=POINTER, blocks=I64)
    ours_in_theirs = given.columns // COLUMNS
    theirs = kernel["blocks"] // ours_in_theirs
    with kernel.loop(0, kernel["rows"]) as row:
        source = kernel.place(kernel["data"], kernel.load(kernel["order"], I64, row * 8) * theirs * given.size)
        lane = row % LANES
        panel = kernel.place(kernel["out"], row // LANES * kernel["blocks"] * RECORD_BYTES[bits])
        with kernel.loop(0, theirs) as number:
            block = kernel.place(source, number * given.size)
            records = kernel.place(panel, number * (ours_in_theirs * RECORD_BYTES[bits]))
            for part in range(ours_in_theirs):
                record = kernel.place(records, part * RECORD_BYTES[bits])
                for at, four in enumerate(_groups(kernel, kernel.place(block, given.quants), kind, part)):
                    kernel.store(four.seen_as(I32), record, lane * 4 + 64 * at)
                scale, least = _scales(kernel, block, kind, part)
                kernel.store(scale, record, lane * 2 + 64 * bits)
                if bits == 4:
                    kernel.store(least, record, lane * 2 + 288)
    kernel.end()


def _groups(kernel: Kernel, quants: Value, kind: str, part: int) -> list[Value]:
    """The bytes of our block `part` in one of theirs, group by group: [4] int8."""
    if kind == "Q8_0":
        whole = kernel.load(quants, ir.VectorType(I8, COLUMNS)) ^ -128
        return [whole.part(range(at, at + 4)) for at in range(0, COLUMNS, 4)]
    if kind == "Q4_K":  # two blocks share 32 bytes, one has the lower halves
        both = kernel.load(quants, ir.VectorType(I8, COLUMNS), part // 2 * COLUMNS)
        columns = both >> 4 if part % 2 else both & 15
    else:  # a byte has the columns c and c + 16
        both = kernel.load(quants, ir.VectorType(I8, 16))
        columns = kernel.joined(both & 15, both >> 4)
    # A byte of ours has the columns c and c + 4.
    return [columns.part(range(at, at + 4)) | columns.part(range(at + 4, at + 8)) << 4 for at in range(0, COLUMNS, 8)]


def _scales(kernel: Kernel, block: Value, kind: str, part: int) -> tuple[Value, Value]:
    """The scale and the least value of our block `part`: the bits of float16 numbers. With 8 bits only the scale."""
    scale = kernel.load(block, I16)
    if kind == "Q4_K":
        # Factors of 6 bits; of the last four blocks, the upper two bits lie in the bytes of the first four.
        def byte(number: int) -> Value:
            return kernel.load(block, I8, 4 + number).wide(I32, signed=False)

        if part < 4:
            of_scale, of_least = byte(part) & 63, byte(part + 4) & 63
        else:
            of_scale = byte(part + 4) & 15 | byte(part - 4) >> 6 << 4
            of_least = byte(part + 4) >> 4 | byte(part) >> 6 << 4
        least = kernel.load(block, I16, 2)
        return _times(scale, of_scale.to_floats()), _times(least, of_least.to_floats() * -1.0)
    at = _BLOCKS[kind].least
    return scale, kernel.load(block, I16, at) if at is not None else _times(scale, kernel.constant(-8.0, F32))


def _times(half: Value, factor: Value) -> Value:
    """half: the bits of a float16. Returns such bits."""
    return (half.seen_as(F16).to_floats() * factor).to_halves().seen_as(I16)
