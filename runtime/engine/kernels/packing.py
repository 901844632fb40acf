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
KINDS = {"Q4_0": 4, "Q4_1": 4, "Q4_K": 4, "Q8_0": 8}
"""Types of GGUF tensors that are packed as they are, and their bits of a weight. Of Q4_K the products of scales are
rounded to float16, of the others nothing is.
"""


@dataclass(frozen=True, eq=False)
class Packed:
    """A matrix. data: [panels, blocks, bytes of a record], uint8; rows beyond `outputs` are zero."""

    data: Bytes
    bits: int
    outputs: int
    inputs: int


def can_be_packed(kind: str, shape: Sequence[int]) -> bool:
    """Whether a GGUF tensor of this type and shape, [outputs, inputs], is packed as it is."""
    return kind in KINDS and len(shape) == 2 and shape[1] % COLUMNS == 0


def empty_packed(bits: int, outputs: int, inputs: int) -> Packed:
    """A matrix of zeros, to be filled by a `Packer`."""
    panels, blocks = -(-outputs // ROWS), inputs // COLUMNS
    return Packed(np.zeros((panels, blocks, RECORD_BYTES[bits]), np.uint8), bits, outputs, inputs)


def packed_bytes(bits: int, shape: Sequence[int]) -> int:
    """The memory of a matrix, [outputs, inputs]."""
    return -(-shape[0] // ROWS) * (shape[1] // COLUMNS) * RECORD_BYTES[bits]


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
