"""Reads a scikit-learn model that joblib has pickled, without either: objects become their attributes, arrays lists of
numbers. Nothing of the file is executed.

joblib's format is a pickle in which each array of numbers follows its description, outside of the pickle's own frames:
https://github.com/joblib/joblib/blob/1.6.0/joblib/numpy_pickle.py.
"""

from __future__ import annotations

import pickle
import struct
from array import array
from math import prod
from pathlib import Path
from typing import IO, Any

_TYPES = {"f8": "d", "i8": "q"}
"""Of numpy, as `array` calls them; both little-endian in the file."""


class Pickled:
    """An object of the file, with its attributes as they were pickled."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            vars(self).update(state)


class Scalar(Pickled):
    """A number of numpy's."""

    @property
    def value(self) -> float:
        kind, packed = self.arguments
        [number] = struct.unpack(f"<{_type_of(kind)}", packed)
        return float(number)


class _Source:
    """The file, read byte for byte: the unpickler must not be ahead of an array that it cannot read. So there is no
    `peek`, by which it would be.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.read = file.read
        self.readline = file.readline


def read_pickled(path: Path) -> Any:
    """What a file holds. Raises ValueError for a file of another form."""
    with path.open("rb") as file:
        try:
            return _Unpickler(file).load()
        except (pickle.UnpicklingError, EOFError, AttributeError, IndexError, KeyError, TypeError) as error:
            raise ValueError(f"`{path}` is not a model as joblib writes it: {error}") from error


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(_Source(file))

        class Array(Pickled):
            """An array of numbers; `values` has them in their order, whatever its shape."""

            def __setstate__(self, state: dict[str, Any]) -> None:
                super().__setstate__(state)
                if state["numpy_array_alignment_bytes"] is not None:
                    file.read(file.read(1)[0])
                self.values = array(_type_of(state["dtype"]))
                self.values.frombytes(file.read(prod(state["shape"]) * self.values.itemsize))

        self._kinds = {"NumpyArrayWrapper": Array, "scalar": Scalar}

    def find_class(self, module: str, name: str) -> Any:
        return self._kinds.get(name, Pickled)


def _type_of(dtype: Pickled) -> str:
    return _TYPES[dtype.arguments[0]]
