"""The block formats of ggml tensors, and how to decode them to float32. Knows bytes and numpy; no files, no torch.

A quantised row is a run of blocks; each block holds its scales and the small integers they multiply. Layouts: ggml's
`ggml-common.h` (https://github.com/ggml-org/ggml), the structs `block_q4_0` to `block_q6_K`; decoding: `ggml-quants.c`,
`dequantize_row_*`. The order of float32 operations is ggml's, so that results are equal to the last bit.

    Q4_0  d:f16 | 16 bytes of nibbles                          w = d * (q - 8)
    Q4_1  d:f16 m:f16 | 16 bytes of nibbles                    w = d * q + m
    Q5_0  d:f16 | 4 bytes of fifth bits | nibbles              w = d * (q - 16)
    Q5_1  d:f16 m:f16 | 4 bytes of fifth bits | nibbles        w = d * q + m
    Q8_0  d:f16 | 32 int8                                      w = d * q
    Q4_K  d:f16 dmin:f16 | 12 bytes: 8 scales, 8 mins of 6 bits | 128 bytes of nibbles
    Q5_K  as Q4_K with 32 bytes of fifth bits before the nibbles
                                                               w = (d * scale) * q - (dmin * min), per 32
    Q6_K  128 bytes of low nibbles | 64 bytes of high pairs | 16 int8 scales | d:f16
                                                               w = (d * scale) * (q - 32), per 16
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

# Bytes decoded at a time: the temporaries stay in a core's cache, and a tensor needs no second copy.
_BLOCK_BYTES_AT_ONCE = 256 * 1024


@dataclass(frozen=True)
class BlockFormat:
    """One ggml type. elements and size_bytes: of a block.

    decode: [blocks, size_bytes], uint8 -> [blocks, elements], float32; None for a type that is only recognised.
    """

    name: str
    elements: int
    size_bytes: int
    decode: Callable[[Bytes], Floats] | None = None


def dequantize(data: Bytes, format: BlockFormat, out: Floats | None = None) -> Floats:
    """The float32 values of a run of blocks.

    data: [blocks * size_bytes], uint8, contiguous. out: [blocks * elements], float32, written when given. Returns `out`
    or a new array like it. Damaged scales give NaN or infinity and no warning. Raises ValueError for a format without a
    decoder, or for data that is not whole blocks; callers check both first.
    """
    if format.decode is None:
        raise ValueError(f"no decoder for {format.name}")
    blocks = data.reshape(-1, format.size_bytes)
    result = np.empty(blocks.shape[0] * format.elements, np.float32) if out is None else out
    rows = result.reshape(-1, format.elements)
    at_once = max(1, _BLOCK_BYTES_AT_ONCE // format.size_bytes)
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, len(blocks), at_once):
            rows[start : start + at_once] = format.decode(blocks[start : start + at_once])
    return result


def _half(blocks: Bytes, start: int) -> Floats:
    """The float16 at byte `start` of each block.

    blocks: [blocks, size_bytes], uint8. Returns [blocks, 1], float32.
    """
    return np.ascontiguousarray(blocks[:, start : start + 2]).view(np.float16).astype(np.float32)


def _nibbles(packed: Bytes) -> Bytes:
    """Bytes to nibbles: all the low halves first, then all the high halves.

    packed: [..., n], uint8. Returns [..., 2 * n], uint8, 0 to 15.
    """
    return np.concatenate([packed & 15, packed >> 4], axis=-1)


def _fifth_bits(blocks: Bytes, start: int) -> Bytes:
    """The 32 flags at byte `start` of each block, each worth 16.

    blocks: [blocks, size_bytes], uint8. Returns [blocks, 32], uint8, 0 or 16.
    """
    flags = np.unpackbits(blocks[:, start : start + 4], axis=1, bitorder="little")
    return flags << np.uint8(4)


def _f32(blocks: Bytes) -> Floats:
    """blocks: [blocks, 4], uint8. Returns [blocks, 1], float32."""
    return np.ascontiguousarray(blocks).view(np.float32)


def _f16(blocks: Bytes) -> Floats:
    """blocks: [blocks, 2], uint8. Returns [blocks, 1], float32."""
    return np.ascontiguousarray(blocks).view(np.float16).astype(np.float32)


def _bf16(blocks: Bytes) -> Floats:
    """blocks: [blocks, 2], uint8. Returns [blocks, 1], float32."""
    high = np.ascontiguousarray(blocks).view(np.uint16).astype(np.uint32)
    return (high << 16).view(np.float32)


def _q4_0(blocks: Bytes) -> Floats:
    """blocks: [blocks, 18], uint8. Returns [blocks, 32], float32."""
    return _half(blocks, 0) * (_nibbles(blocks[:, 2:]).astype(np.float32) - 8)


def _q4_1(blocks: Bytes) -> Floats:
    """blocks: [blocks, 20], uint8. Returns [blocks, 32], float32."""
    return _half(blocks, 0) * _nibbles(blocks[:, 4:]).astype(np.float32) + _half(blocks, 2)


def _q5_0(blocks: Bytes) -> Floats:
    """blocks: [blocks, 22], uint8. Returns [blocks, 32], float32."""
    quants = _nibbles(blocks[:, 6:]) | _fifth_bits(blocks, 2)
    return _half(blocks, 0) * (quants.astype(np.float32) - 16)


def _q5_1(blocks: Bytes) -> Floats:
    """blocks: [blocks, 24], uint8. Returns [blocks, 32], float32."""
    quants = _nibbles(blocks[:, 8:]) | _fifth_bits(blocks, 4)
    return _half(blocks, 0) * quants.astype(np.float32) + _half(blocks, 2)


def _q8_0(blocks: Bytes) -> Floats:
    """blocks: [blocks, 34], uint8. Returns [blocks, 32], float32."""
    return _half(blocks, 0) * blocks[:, 2:].view(np.int8).astype(np.float32)


def _scales_and_mins(packed: Bytes) -> tuple[Floats, Floats]:
    """Eight 6-bit scales and eight 6-bit mins from 12 bytes.

    packed: [blocks, 12], uint8. Returns two of [blocks, 8], float32.
    Bytes 0-3 hold scales 0-3 in their low six bits, bytes 4-7 mins 0-3; bytes 8-11 hold the low nibbles of scales 4-7
    and, in their high halves, of mins 4-7, whose upper two bits sit on top of bytes 0-3 and 4-7 (ggml:
    `get_scale_min_k4`).
    """
    first, second, third = packed[:, 0:4], packed[:, 4:8], packed[:, 8:12]
    scales = np.concatenate([first & 63, (third & 15) | (first >> 6 << 4)], axis=1)
    mins = np.concatenate([second & 63, (third >> 4) | (second >> 6 << 4)], axis=1)
    return scales.astype(np.float32), mins.astype(np.float32)


def _k_blocks(blocks: Bytes, quants: Bytes) -> Floats:
    """What Q4_K and Q5_K share: scales and mins for groups of 32.

    blocks: [blocks, size_bytes], uint8. quants: [blocks, 8, 32], uint8, the integers of each group. Returns
    [blocks, 256], float32.
    """
    scales, mins = _scales_and_mins(blocks[:, 4:16])
    scale = (_half(blocks, 0) * scales)[:, :, None]
    minimum = (_half(blocks, 2) * mins)[:, :, None]
    return (scale * quants.astype(np.float32) - minimum).reshape(len(blocks), 256)


def _q4_k(blocks: Bytes) -> Floats:
    """blocks: [blocks, 144], uint8. Returns [blocks, 256], float32."""
    # 32 bytes carry two groups of 32: the low nibbles of all, then the high nibbles.
    return _k_blocks(blocks, _nibbles(blocks[:, 16:].reshape(-1, 4, 32)).reshape(-1, 8, 32))


def _q5_k(blocks: Bytes) -> Floats:
    """blocks: [blocks, 176], uint8. Returns [blocks, 256], float32."""
    low = _nibbles(blocks[:, 48:].reshape(-1, 4, 32)).reshape(-1, 8, 32)
    # Bit g of byte i is the fifth bit of element i in group g.
    flags = np.unpackbits(blocks[:, 16:48].reshape(-1, 32, 1), axis=2, bitorder="little").transpose(0, 2, 1)
    return _k_blocks(blocks, low | (flags << np.uint8(4)))


def _q6_k(blocks: Bytes) -> Floats:
    """blocks: [blocks, 210], uint8. Returns [blocks, 256], float32."""
    # Each half of the block has 64 bytes of low nibbles and 32 bytes of high pairs for its 128 elements.
    low = _nibbles(blocks[:, :128].reshape(-1, 2, 64)).reshape(-1, 2, 4, 32)
    pairs = blocks[:, 128:192].reshape(-1, 2, 1, 32) >> np.array([0, 2, 4, 6], np.uint8)[:, None] & 3
    quants = (low | (pairs << 4)).reshape(-1, 16, 16).astype(np.float32) - 32
    scale = _half(blocks, 208) * blocks[:, 192:208].view(np.int8).astype(np.float32)
    return (scale[:, :, None] * quants).reshape(len(blocks), 256)


# By ggml's type number (`enum ggml_type`). Types without a decoder are listed so that an error can name them.
FORMATS: dict[int, BlockFormat] = {
    0: BlockFormat("F32", 1, 4, _f32),
    1: BlockFormat("F16", 1, 2, _f16),
    2: BlockFormat("Q4_0", 32, 18, _q4_0),
    3: BlockFormat("Q4_1", 32, 20, _q4_1),
    6: BlockFormat("Q5_0", 32, 22, _q5_0),
    7: BlockFormat("Q5_1", 32, 24, _q5_1),
    8: BlockFormat("Q8_0", 32, 34, _q8_0),
    10: BlockFormat("Q2_K", 256, 84),
    11: BlockFormat("Q3_K", 256, 110),
    12: BlockFormat("Q4_K", 256, 144, _q4_k),
    13: BlockFormat("Q5_K", 256, 176, _q5_k),
    14: BlockFormat("Q6_K", 256, 210, _q6_k),
    16: BlockFormat("IQ2_XXS", 256, 66),
    17: BlockFormat("IQ2_XS", 256, 74),
    18: BlockFormat("IQ3_XXS", 256, 98),
    19: BlockFormat("IQ1_S", 256, 50),
    20: BlockFormat("IQ4_NL", 32, 18),
    21: BlockFormat("IQ3_S", 256, 110),
    22: BlockFormat("IQ2_S", 256, 82),
    23: BlockFormat("IQ4_XS", 256, 136),
    24: BlockFormat("I8", 1, 1),
    25: BlockFormat("I16", 1, 2),
    26: BlockFormat("I32", 1, 4),
    27: BlockFormat("I64", 1, 8),
    28: BlockFormat("F64", 1, 8),
    29: BlockFormat("IQ1_M", 256, 56),
    30: BlockFormat("BF16", 1, 2, _bf16),
    34: BlockFormat("TQ1_0", 256, 54),
    35: BlockFormat("TQ2_0", 256, 66),
    39: BlockFormat("MXFP4", 32, 17),
}
