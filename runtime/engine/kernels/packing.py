"""Quantised weights as the kernels read them: in panels of 16 rows, block by block of 32 columns.

A weight is `scale * q + least`, with q of 4 bits (0 to 15) or 8 bits (0 to 255, of which 128 counts as 0). Of a panel,
each block of columns is one record:

    4 bits: 4 x 64 bytes of q, 16 scales, 16 least values (float16)      320 bytes for 512 weights
    8 bits: 8 x 64 bytes of q, 16 scales (float16)                       544 bytes

Each 64 bytes hold 16 rows x 4 neighbouring columns; with 4 bits the upper halves of the bytes are the next 4 columns.
So one instruction multiplies 16 rows with 4 columns (`dot.py`), and each byte is read once for many tokens. Blocks of
GGUF files: https://github.com/ggml-org/ggml/blob/master/src/ggml-common.h.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ROWS, COLUMNS = 16, 32
RECORD_BYTES = {4: 320, 8: 544}
Bytes = NDArray[np.uint8]
_WIDTHS = {"Q4_0": (18, 4), "Q4_1": (20, 4), "Q8_0": (34, 8)}
"""Types of GGUF tensors that are packed without any loss: bytes of a block, bits of a weight."""


@dataclass(frozen=True, eq=False)
class Packed:
    """A matrix. data: [panels, blocks, bytes of a record], uint8; rows beyond `outputs` are zero."""

    data: Bytes
    bits: int
    outputs: int
    inputs: int

    @property
    def panels(self) -> int:
        return len(self.data)


def can_be_packed(kind: str, shape: Sequence[int]) -> bool:
    """Whether a GGUF tensor of this type and shape, [outputs, inputs], is packed without loss."""
    return kind in _WIDTHS and len(shape) == 2 and shape[1] % COLUMNS == 0


def empty_packed(bits: int, outputs: int, inputs: int) -> Packed:
    """A matrix of zeros, to be filled by `pack_rows`."""
    panels, blocks = -(-outputs // ROWS), inputs // COLUMNS
    return Packed(np.zeros((panels, blocks, RECORD_BYTES[bits]), np.uint8), bits, outputs, inputs)


def packed_bytes(bits: int, shape: Sequence[int]) -> int:
    """The memory of a matrix, [outputs, inputs]."""
    return -(-shape[0] // ROWS) * (shape[1] // COLUMNS) * RECORD_BYTES[bits]


def bits_of(kind: str) -> int:
    """Of a type that can be packed."""
    return _WIDTHS[kind][1]


def pack_rows(target: Packed, first: int, data: Bytes, kind: str, order: NDArray[np.intp] | None = None) -> None:
    """Put the blocks of a GGUF tensor into rows `first` and following.

    first: a multiple of 16. data: [bytes], uint8, as in the file. order: [rows], int64, which of its rows comes where;
    None for as they are.
    """
    width, bits = _WIDTHS[kind]
    blocks = target.inputs // COLUMNS
    rows = data.reshape(-1, blocks, width)
    if order is not None:
        rows = rows[order]
    if missing := -len(rows) % ROWS:
        rows = np.concatenate([rows, np.zeros((missing, blocks, width), np.uint8)])
    panels = rows.reshape(-1, ROWS, blocks, width).swapaxes(1, 2)  # [panels, blocks, rows, bytes]
    out = target.data[first // ROWS : first // ROWS + len(panels)]
    scales = panels[..., :2]
    out[..., 64 * bits : 64 * bits + 32] = scales.reshape(*panels.shape[:2], 32)
    if bits == 8:
        out[..., :512] = _by_columns(panels[..., 2:] ^ np.uint8(128))
        return
    quants = panels[..., width - 16 :]
    # A byte of the file has the columns c and c + 16, one of ours c and c + 4.
    low, high = (half.reshape(*quants.shape[:-1], 2, 2, 4) for half in (quants & 15, quants >> 4))
    lower, upper = (np.concatenate([low[..., half, :], high[..., half, :]], axis=-2) for half in (0, 1))
    out[..., :256] = _by_columns((lower | upper << 4).reshape(quants.shape))
    least = panels[..., 2:4] if kind == "Q4_1" else _times_minus_8(scales)
    out[..., 288:320] = least.reshape(*panels.shape[:2], 32)


def unpacked(matrix: Packed) -> NDArray[np.float32]:
    """The values: [outputs, inputs], float32. The inverse of packing, for tests and for computing on dequantised
    weights.
    """
    data, bits = matrix.data, matrix.bits
    lines = data[..., : 64 * bits].reshape(*data.shape[:2], bits, ROWS, 4)
    scales = data[..., 64 * bits : 64 * bits + 32].copy().view(np.float16).astype(np.float32)
    if bits == 8:
        quants = lines.astype(np.float32) - 128
    else:
        quants = np.stack([lines & 15, lines >> 4], axis=3).reshape(*data.shape[:2], 8, ROWS, 4).astype(np.float32)
    values = quants.transpose(0, 3, 1, 2, 4).reshape(-1, data.shape[1], COLUMNS) * _of_rows(scales)
    if bits == 4:
        values += _of_rows(data[..., 288:320].copy().view(np.float16).astype(np.float32))
    return np.ascontiguousarray(values.reshape(-1, matrix.inputs)[: matrix.outputs])


def _of_rows(numbers: NDArray[np.float32]) -> NDArray[np.float32]:
    """numbers: [panels, blocks, rows], float32. Returns them as [rows, blocks, 1]."""
    return numbers.transpose(0, 2, 1).reshape(-1, numbers.shape[1], 1)


def _by_columns(values: Bytes) -> Bytes:
    """values: [panels, blocks, rows, columns], uint8. Returns [panels, blocks, bytes]: 16 rows of 4 columns each."""
    groups = values.reshape(*values.shape[:3], -1, 4).swapaxes(2, 3)
    return groups.reshape(*values.shape[:2], -1)


def _times_minus_8(scales: Bytes) -> Bytes:
    """scales: [..., 2], uint8, the bytes of float16 numbers, as which they return, too."""
    return (np.ascontiguousarray(scales).view(np.float16) * np.float16(-8)).view(np.uint8)
