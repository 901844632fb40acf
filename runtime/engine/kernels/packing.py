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
