"""GGUF files: metadata as Python values, tensors as places in the file.

Knows the container (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3, little-endian); not
what the metadata means to a model or a tokenizer, and no torch. Block formats are in `dequantize.py`.
"""

from __future__ import annotations

import math
import mmap
import struct
from dataclasses import dataclass, field, replace
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np

from runtime.engine.checkpoints.dequantize import FORMATS, BlockFormat, Bytes, Floats, dequantize
from runtime.engine.checkpoints.file_bytes import FileBytes
from runtime.engine.checkpoints.model_config import CheckpointInvalid

MAGIC = b"GGUF"

# Value types of the metadata by their number: how a scalar is packed. 8 is a string, 9 an array.
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_PACKED = {number: struct.Struct("<" + code) for number, code in _SCALARS.items()}
_U32, _U64 = struct.Struct("<I"), struct.Struct("<Q")
_MAX_DIMENSIONS = 8
_MAX_NESTING = 4
_READ_BYTES = 2**20  # that are read at a time to be decoded


@dataclass(frozen=True)
class GGUFTensor:
    """One tensor of a file.

    shape: outermost axis first, as in numpy and torch (the file stores the reverse). start: of its bytes in the file.
    Whatever reads them raises CheckpointInvalid where the file has been changed since it was opened.
    """

    name: str
    shape: tuple[int, ...]
    type: str
    size_bytes: int
    format: BlockFormat = field(repr=False)
    path: Path = field(repr=False)
    file: FileBytes = field(repr=False)
    start: int = field(repr=False)

    def check_type(self) -> None:
        """Raises CheckpointInvalid for a type that this engine cannot decode."""
        if self.format.decode is None:
            known = ", ".join(f.name for f in FORMATS.values() if f.decode is not None)
            raise CheckpointInvalid(
                f"Tensor `{self.name}` of `{self.path}` is stored as {self.type}, which this engine cannot read.",
                hint=f"take a file whose tensors are among {known}",
            )

    def rows(self, first: int, last: int) -> GGUFTensor:
        """The rows `first` to `last` - 1 of a matrix."""
        width = self.size_bytes // self.shape[0]
        shape = (last - first, self.shape[1])
        return replace(self, shape=shape, start=self.start + first * width, size_bytes=(last - first) * width)

    def read(self) -> Bytes:
        """The bytes as they are in the file: [size_bytes], uint8."""
        return self.file.read(self.start, self.size_bytes)

    def dequantize(self, out: Floats | None = None) -> Floats:
        """The values: [*shape], float32. out: the same, contiguous; written when given.

        Raises CheckpointInvalid for a type that this engine cannot decode.
        """
        self.check_type()
        values = np.empty(self.shape, np.float32) if out is None else out
        flat, elements, size = values.reshape(-1), self.format.elements, self.format.size_bytes
        blocks = _READ_BYTES // size
        for at in range(0, self.size_bytes // size, blocks):
            count = min(blocks, self.size_bytes // size - at)
            data = self.file.read(self.start + at * size, count * size)
            dequantize(data, self.format, flat[at * elements : (at + count) * elements])
        return values


@dataclass(frozen=True)
class GGUFFile:
    """An open file. metadata: scalars as Python values, arrays of strings as lists, other arrays as numpy arrays."""

    path: Path
    version: int
    metadata: dict[str, Any] = field(repr=False)
    tensors: dict[str, GGUFTensor] = field(repr=False)


def read_gguf(path: str | Path) -> GGUFFile:
    """Open a GGUF file and read its metadata and tensor table; tensor bytes are read when they are used.

    Raises CheckpointInvalid, naming the file and what is wrong, for anything that is not a whole GGUF file.
    """
    path = Path(path)
    try:
        file = FileIO(path)
        opened = FileBytes(path, file)
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise CheckpointInvalid(f"`{path}` cannot be opened: {error.strerror or error}.") from error
    except ValueError as error:
        raise CheckpointInvalid(f"`{path}` is empty, not a GGUF file.") from error
    reader = _Reader(path, mapped)
    version, tensor_count, metadata_count = reader.header()
    metadata = {}
    for _ in range(metadata_count):
        key = reader.string("a metadata key")
        metadata[key] = reader.value(reader.number(_U32, f"the type of `{key}`"), f"`{key}`")
    tensors = reader.tensors(opened, tensor_count, metadata.get("general.alignment", 32))
    return GGUFFile(path, version, metadata, tensors)


class _Reader:
    """A cursor over the mapped bytes that never reads past their end."""

    def __init__(self, path: Path, mapped: mmap.mmap) -> None:
        self.path = path
        self.bytes = mapped
        self.size = len(mapped)
        self.at = 0

    def invalid(self, problem: str) -> CheckpointInvalid:
        return CheckpointInvalid(
            f"`{self.path}` is not a usable GGUF file: {problem}.", hint="download or convert the file again"
        )

    def take(self, size: int, what: str) -> int:
        """Step over `size` bytes and return where they start."""
        start = self.at
        if size > self.size - start:
            raise self.invalid(f"it ends inside {what} (byte {start} of {self.size})")
        self.at = start + size
        return start

    def number(self, packed: struct.Struct, what: str) -> Any:
        return packed.unpack_from(self.bytes, self.take(packed.size, what))[0]

    def string(self, what: str) -> str:
        size = self.number(_U64, what)
        start = self.take(size, what)
        # Some tokens of a vocabulary are not UTF-8 by themselves; the escape keeps their bytes.
        return self.bytes[start : start + size].decode("utf-8", "surrogateescape")

    def header(self) -> tuple[int, int, int]:
        start = self.take(4, "its first four bytes")
        if self.bytes[start : start + 4] != MAGIC:
            raise self.invalid(f"it starts with {self.bytes[:4]!r}, not {MAGIC!r}")
        version = self.number(_U32, "its version")
        if version not in (2, 3):
            problem = f"its version is {version}, and this engine reads 2 and 3"
            if version & 0xFFFF == 0:
                problem = "it is a big-endian file, and this engine reads little-endian ones"
            raise self.invalid(problem)
        tensor_count = self.number(_U64, "the number of tensors")
        metadata_count = self.number(_U64, "the number of metadata keys")
        # The smallest tensor entry has 24 bytes, the smallest key 13: a higher count means a damaged file.
        if tensor_count > self.size // 24 or metadata_count > self.size // 13:
            raise self.invalid(f"it claims {tensor_count} tensors and {metadata_count} metadata keys")
        return version, tensor_count, metadata_count

    def value(self, type: int, what: str, depth: int = 0) -> Any:
        if type in _PACKED:
            return self.number(_PACKED[type], what)
        if type == _STRING:
            return self.string(what)
        if type != _ARRAY:
            raise self.invalid(f"{what} has the unknown type {type}")
        if depth == _MAX_NESTING:
            raise self.invalid(f"{what} is nested deeper than {_MAX_NESTING} arrays")
        element = self.number(_U32, what)
        count = self.number(_U64, what)
        if element in _SCALARS:
            kind = np.dtype("<" + _SCALARS[element]) if element != 7 else np.dtype(np.bool_)
            start = self.take(count * kind.itemsize, what)
            return np.frombuffer(self.bytes[start : self.at], kind)
        if element == _STRING:
            return self.strings(count, what)
        return [self.value(element, what, depth + 1) for _ in range(count)]

    def strings(self, count: int, what: str) -> list[str]:
        """`count` strings. A vocabulary has tens of thousands, so this loop keeps everything in locals."""
        buffer, at, size, read = self.bytes, self.at, self.size, _U64.unpack_from
        found = []
        for _ in range(count):
            end_of_length = at + 8
            if end_of_length > size:
                raise self.invalid(f"it ends inside {what} (byte {at} of {size})")
            at = end_of_length + read(buffer, at)[0]
            if at > size:
                raise self.invalid(f"it ends inside {what} (byte {end_of_length} of {size})")
            found.append(buffer[end_of_length:at].decode("utf-8", "surrogateescape"))
        self.at = at
        return found

    def tensors(self, file: FileBytes, count: int, alignment: Any) -> dict[str, GGUFTensor]:
        if not isinstance(alignment, int) or alignment < 1 or alignment & (alignment - 1):
            raise self.invalid(f"`general.alignment` is {alignment!r}, not a power of two")
        entries = [self.tensor_entry() for _ in range(count)]
        base = -(-self.at // alignment) * alignment
        tensors: dict[str, GGUFTensor] = {}
        expected = 0
        for name, shape, format, offset in entries:
            if name in tensors:
                raise self.invalid(f"tensor `{name}` is in it twice")
            # One lies behind the other, as llama.cpp demands: so a wrong type or shape shows.
            if offset != expected:
                problem = (
                    f"tensor `{name}` lies at byte {offset} of the weights, where those before it end at {expected}"
                )
                raise self.invalid(problem)
            size = math.prod(shape) // format.elements * format.size_bytes
            expected += -(-size // alignment) * alignment
            start = base + offset
            if start + size > self.size:
                raise self.invalid(
                    f"tensor `{name}` should end at byte {start + size}, but the file ends at byte {self.size}"
                )
            tensors[name] = GGUFTensor(name, shape, format.name, size, format, self.path, file, start)
        return tensors

    def tensor_entry(self) -> tuple[str, tuple[int, ...], BlockFormat, int]:
        name = self.string("a tensor's name")
        what = f"the entry of tensor `{name}`"
        dimensions = self.number(_U32, what)
        if dimensions > _MAX_DIMENSIONS:
            raise self.invalid(f"tensor `{name}` claims {dimensions} dimensions")
        stored = [self.number(_U64, what) for _ in range(dimensions)]
        type = self.number(_U32, what)
        offset = self.number(_U64, what)
        if type not in FORMATS:
            raise self.invalid(f"tensor `{name}` has the unknown type {type}")
        format = FORMATS[type]
        if stored and stored[0] % format.elements:
            raise self.invalid(f"rows of {stored[0]} elements in tensor `{name}` are not whole {format.name} blocks")
        return name, tuple(reversed(stored)), format, offset
