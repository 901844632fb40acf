"""The weights of a checkpoint, packed for the kernels. Of a GGUF file without torch.

Types of a GGUF file that kernels read stay as they are. Others are decoded and rounded to 8 bits in blocks of 32, some
rows at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.engine.checkpoints.gguf import GGUFCheckpoint
from runtime.engine.checkpoints.gguf_file import GGUFTensor
from runtime.engine.checkpoints.opening import Checkpoint
from runtime.engine.checkpoints.weights import half_split_order, weight_shapes
from runtime.engine.kernels.pack import Packer
from runtime.engine.kernels.packing import COLUMNS, KINDS, ROWS, Packed, can_be_packed, empty_packed, packed_bytes

Floats = NDArray[np.float32]
_WHOLE = ("F32", "F16", "BF16", "F64")
_AT_ONCE = 2**20  # weights that are packed at a time


def why_not_packed(checkpoint: Checkpoint, *, is_asked_for: bool) -> str | None:
    """Why the kernels do not compute this model, in words that go on behind "it"; None where they do. is_asked_for:
    whether weights that are not quantised are to be.
    """
    config = checkpoint.config
    if not is_asked_for and not _is_quantised(checkpoint):
        return "is not quantised"
    inputs = (config.hidden_size, config.ffn_size, config.heads * config.head_dim)
    if any(size % COLUMNS for size in inputs) or config.head_dim % ROWS:
        return f"has sizes that are not multiples of {COLUMNS}"
    return None


def weights_bytes(checkpoint: Checkpoint) -> int:
    """The memory that the packed weights take."""
    bits = {name: _bits(tensor) for name, tensor in _tensors(checkpoint)}
    shapes = weight_shapes(checkpoint.config)
    return sum(
        packed_bytes(bits.get(name, 8), shape) if len(shape) == 2 else 4 * math.prod(shape)
        for name, shape in shapes.items()
    )


def pack_weights(
    checkpoint: Checkpoint, go_on: Callable[[], None], *, kept: Path | None = None
) -> dict[str, Packed | Floats]:
    """The weights by our names: matrices packed, norms [hidden_size], float32. go_on: called between them, may raise.
    kept: the folder for compiled kernels.

    Raises CheckpointInvalid for a tensor that cannot be decoded.
    """
    packer = Packer(kept)
    if isinstance(checkpoint, GGUFCheckpoint):
        return _packed_tensors(checkpoint, packer, go_on)
    packed: dict[str, Packed | Floats] = {}
    for name, weight in checkpoint.weights():
        go_on()
        if weight.dim() != 2:
            packed[name] = weight.float().numpy().copy()
            continue
        outputs, inputs = weight.shape
        packed[name] = matrix = empty_packed(8, outputs, inputs)
        for first, last in _pieces(outputs, inputs):
            packer.pack(matrix, first, _rounded(weight[first:last].float().numpy()), "Q8_0")
    return packed


def _packed_tensors(
    checkpoint: GGUFCheckpoint, packer: Packer, go_on: Callable[[], None]
) -> dict[str, Packed | Floats]:
    """As `pack_weights`: matrices, norms [hidden_size], float32."""
    packed: dict[str, Packed | Floats] = {}
    for name, tensor in checkpoint.tensors():
        go_on()
        if len(tensor.shape) != 2:
            packed[name] = tensor.dequantize()
            continue
        order = half_split_order(name, tensor.shape, checkpoint.config, checkpoint.path)
        outputs, inputs = tensor.shape
        packed[name] = matrix = empty_packed(_bits(tensor), outputs, inputs)
        for first, last in _pieces(outputs, inputs) if order is None else [(0, outputs)]:
            piece = tensor.rows(first, last)
            if can_be_packed(tensor.type, tensor.shape):
                packer.pack(matrix, first, piece.read(), tensor.type, order)
            else:
                packer.pack(matrix, first, _rounded(piece.dequantize()), "Q8_0", order)
    return packed


def _tensors(checkpoint: Checkpoint) -> list[tuple[str, GGUFTensor]]:
    """Of a GGUF file; none of other checkpoints."""
    return list(checkpoint.tensors()) if isinstance(checkpoint, GGUFCheckpoint) else []


def _is_quantised(checkpoint: Checkpoint) -> bool:
    return any(len(tensor.shape) == 2 and tensor.type not in _WHOLE for _, tensor in _tensors(checkpoint))


def _bits(tensor: GGUFTensor) -> int:
    return KINDS[tensor.type] if can_be_packed(tensor.type, tensor.shape) else 8


def _pieces(outputs: int, inputs: int) -> Iterator[tuple[int, int]]:
    """A matrix's rows a few at a time, the first and the one after the last: so no copy of a large one is made."""
    at_once = max(ROWS, _AT_ONCE // inputs // ROWS * ROWS)
    for first in range(0, outputs, at_once):
        yield first, min(first + at_once, outputs)


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
