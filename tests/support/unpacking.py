"""The slow, obvious inverse of the packing that the kernels read."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from runtime.engine.kernels.packing import COLUMNS, ROWS, Packed


def unpacked(matrix: Packed) -> NDArray[np.float32]:
    """The values of a packed matrix: [outputs, inputs], float32."""
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
