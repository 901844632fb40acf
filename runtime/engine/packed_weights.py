"""The weights of a GGUF file, packed for the kernels. No torch.

Types that kernels read stay as they are. Others are decoded and rounded to 8 bits in blocks of 32, some rows at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.engine.checkpoint_gguf import GGUFCheckpoint
from runtime.engine.checkpoint_weights import half_split_order
from runtime.engine.gguf import GGUFTensor
from runtime.engine.kernels.pack import Packer
from runtime.engine.kernels.packing import COLUMNS, KINDS, ROWS, Packed, can_be_packed, empty_packed, packed_bytes

Floats = NDArray[np.float32]
_WHOLE = ("F32", "F16", "BF16", "F64")
_AT_ONCE = 2**20  # weights that are packed at a time


def why_not_packed(checkpoint: GGUFCheckpoint) -> str | None:
    """Why the kernels cannot compute this model, in words that go on behind "it"; None where they can."""
    config = checkpoint.config
    matrices = [tensor for _, tensor in checkpoint.tensors() if len(tensor.shape) == 2]
    if all(tensor.type in _WHOLE for tensor in matrices):
        return "is not quantised"
    inputs = (config.hidden_size, config.ffn_size, config.heads * config.head_dim)
    if any(size % COLUMNS for size in inputs) or config.head_dim % ROWS:
        return f"has sizes that are not multiples of {COLUMNS}"
    return None


def weights_bytes(checkpoint: GGUFCheckpoint) -> int:
    """The memory that the packed weights take."""
    return sum(
        packed_bytes(_bits(tensor), tensor.shape) if len(tensor.shape) == 2 else 4 * math.prod(tensor.shape)
        for _, tensor in checkpoint.tensors()
    )


def pack_weights(
    checkpoint: GGUFCheckpoint, go_on: Callable[[], None], *, kept: Path | None = None
) -> dict[str, Packed | Floats]:
    """The weights by our names: matrices packed, norms [hidden_size], float32. go_on: called between them, may raise.
    kept: the folder for compiled kernels.

    Raises CheckpointInvalid for a tensor that cannot be decoded.
    """
    packed: dict[str, Packed | Floats] = {}
    packer = Packer(kept)
    for name, tensor in checkpoint.tensors():
        go_on()
        if len(tensor.shape) != 2:
            packed[name] = tensor.dequantize()
            continue
        order = half_split_order(name, tensor.shape, checkpoint.config, checkpoint.path)
        outputs, inputs = tensor.shape
        matrix = empty_packed(_bits(tensor), outputs, inputs)
        for first, piece in _pieces(tensor, whole=order is not None):
            if can_be_packed(tensor.type, tensor.shape):
                packer.pack(matrix, first, piece.data, tensor.type, order)
            else:
                packer.pack(matrix, first, _rounded(piece.dequantize()), "Q8_0", order)
        packed[name] = matrix
        tensor.forget()
    return packed


def _bits(tensor: GGUFTensor) -> int:
    return KINDS[tensor.type] if can_be_packed(tensor.type, tensor.shape) else 8


def _pieces(tensor: GGUFTensor, *, whole: bool) -> Iterator[tuple[int, GGUFTensor]]:
    """The tensor's rows a few at a time, each time with the number of the first: so no copy of a large one is made."""
    outputs, inputs = tensor.shape
    at_once = outputs if whole else max(ROWS, _AT_ONCE // inputs // ROWS * ROWS)
    for first in range(0, outputs, at_once):
        yield first, tensor.rows(first, min(first + at_once, outputs))


def _rounded(rows: Floats) -> NDArray[np.uint8]:
    """rows: [outputs, inputs], float32. Returns blocks of Q8_0: [bytes], uint8. The step is the largest magnitude of a
    block, divided by 127. Where a weight is not finite, the step is not.
    """
    blocks = rows.reshape(-1, COLUMNS)
    with np.errstate(over="ignore", invalid="ignore"):
        steps = (np.abs(blocks).max(axis=1, keepdims=True) / 127).astype(np.float16)
        divisors = np.where(steps == 0, 1, steps).astype(np.float32)
        quants = np.rint(blocks / divisors).clip(-127, 127).astype(np.int8)
    return np.concatenate([steps.view(np.uint8), quants.view(np.uint8)], axis=1).reshape(-1)
