"""What a safetensors file holds, from its header alone: names, dtypes and shapes, and whether the file is as long as it
says. So a damaged file is known before anything is allocated, and by which tensor.

Format: https://huggingface.co/docs/safetensors/index#format. No torch.
"""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.engine.checkpoints.kinds import refuse_pointer
from runtime.engine.checkpoints.model_config import CheckpointInvalid

_LENGTH = struct.Struct("<Q")
_MAX_HEADER_BYTES = 100_000_000  # the library's own limit
_FLOATS = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
_WIDTHS = {**_FLOATS, "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1} | {
    f"{kind}{bits}": bits // 8 for kind in "IU" for bits in (16, 32, 64)
}
"""Bytes of an element; a dtype that is not here is none that we read."""


@dataclass(frozen=True)
class StoredTensor:
    """dtype: in the format's words. shape: [outputs, inputs], a norm's [hidden_size]."""

    dtype: str
    shape: tuple[int, ...]


def read_header(file: Path) -> dict[str, StoredTensor]:
    """The tensors of a file by name. Raises CheckpointInvalid, naming the file and the tensor, where it is damaged."""
    refuse_pointer(file)
    try:
        with file.open("rb") as opened:
            size = file.stat().st_size
            start = opened.read(_LENGTH.size)
            length = _LENGTH.unpack(start)[0] if len(start) == _LENGTH.size else size
            if length > min(size - _LENGTH.size, _MAX_HEADER_BYTES):
                raise _damaged(file, "it ends inside its header")
            entries = json.loads(opened.read(length))
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(file, str(error)) from error
    if not isinstance(entries, dict):
        raise _damaged(file, "its header is not a JSON object")
    data_bytes = size - _LENGTH.size - length
    return {name: _stored(name, entry, data_bytes, file) for name, entry in entries.items() if name != "__metadata__"}


def check_float(name: str, tensor: StoredTensor, file: Path) -> None:
    """Raises CheckpointInvalid for a weight that is stored in anything but floating point of 16 bits or more."""
    if tensor.dtype not in _FLOATS:
        raise CheckpointInvalid(
            f"Tensor `{name}` of `{file}` is stored as {tensor.dtype}, which this engine cannot read.",
            hint=f"take a GGUF file of the model, or weights in {', '.join(_FLOATS)}",
        )


def _stored(name: str, entry: Any, data_bytes: int, file: Path) -> StoredTensor:
    match entry:
        case {"dtype": str(dtype), "shape": [*shape], "data_offsets": [int(begin), int(end)]} if all(
            type(axis) is int and axis >= 0 for axis in shape
        ):
            pass
        case _:
            raise _damaged(file, f"the entry of tensor `{name}` makes no sense")
    if end > data_bytes:
        raise _damaged(file, f"tensor `{name}` ends {end - data_bytes} bytes behind the end of the file")
    wanted = math.prod(shape) * _WIDTHS[dtype] if dtype in _WIDTHS else end - begin
    if begin < 0 or end - begin != wanted:
        raise _damaged(file, f"tensor `{name}` has {end - begin} bytes, and {dtype} of shape {shape} takes {wanted}")
    return StoredTensor(dtype, tuple(shape))


def _damaged(file: Path, problem: str) -> CheckpointInvalid:
    return CheckpointInvalid(f"`{file}` cannot be read: {problem}.", hint="download it again")
