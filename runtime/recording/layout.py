"""JSON laid out to be read and compared: short values on one line, an event of a stream and a row of numbers always on
one, and a text of several lines line by line.

    {"$lines": ["first line", "second line"]}   a text of several lines
    {"$file": "name.bin"}                       bytes, in a file beside this one
    {"$float32": "wl9mPQ..."}                   many floats of 32 bits, in base64, little-endian: written out, a vector
                                                takes four times as much
    {"$number": "nan"}                          a number that JSON has not: also inf and -inf
    {"$as_is": {...}}                           an object that has one of these names itself
"""

from __future__ import annotations

import base64
import json
import sys
from array import array
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any

from runtime.recording.bodies import Held

_WIDTH = 110
_MANY = 128
_LINES, _FILE, _FLOATS, _NUMBER, _AS_IS = "$lines", "$file", "$float32", "$number", "$as_is"
_MARKS = (_LINES, _FILE, _FLOATS, _NUMBER, _AS_IS)
_text = json.JSONEncoder(ensure_ascii=False).encode


def laid_out(value: Any, keep: Callable[[Held], str]) -> bytes:
    """JSON text of a value with a line break at its end, in which halves of characters are question marks. keep: keeps
    bytes, and returns the name of their file.
    """
    return ("".join(_lines(_marked(value, keep), "")) + "\n").encode(errors="replace")


def as_read(value: Any, held: Callable[[str], Held]) -> Any:
    """What `laid_out` was given. held: the bytes of a file beside. Raises ValueError for marks that make no sense."""
    if isinstance(value, list):
        return [as_read(one, held) for one in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        [(name, inner)] = value.items()
        if name == _LINES:
            if not (isinstance(inner, list) and all(isinstance(line, str) for line in inner)):
                raise ValueError(f"`{_LINES}` is not a list of texts")
            return "\n".join(inner)
        if name == _FILE:
            return held(str(inner))
        if name == _FLOATS:
            return _little_endian(array("f", base64.b64decode(inner, validate=True))).tolist()
        if name == _NUMBER:
            return float(inner)
        if name == _AS_IS and isinstance(inner, dict):
            return {key: as_read(one, held) for key, one in inner.items()}
    return {key: as_read(one, held) for key, one in value.items()}


def _marked(value: Any, keep: Callable[[Held], str]) -> Any:
    if isinstance(value, Held):
        return {_FILE: keep(value)}
    if isinstance(value, str):
        return {_LINES: value.split("\n")} if value.count("\n") > 1 and len(value) > _WIDTH / 2 else value
    if isinstance(value, float) and not isfinite(value):
        return {_NUMBER: str(value)}
    if isinstance(value, Mapping):
        marked = {str(key): _marked(one, keep) for key, one in value.items()}
        return {_AS_IS: marked} if len(value) == 1 and next(iter(value)) in _MARKS else marked
    if isinstance(value, list) and (packed := _packed(value)):
        return {_FLOATS: packed}
    if isinstance(value, list | tuple):
        return [_marked(one, keep) for one in value]
    return value


def _packed(values: list[Any]) -> str:
    """Floats in base64; empty where they are few, or would not be the same afterwards."""
    if len(values) < _MANY or not all(type(one) is float for one in values):
        return ""
    try:
        packed = array("f", values)
    except OverflowError:
        return ""
    return base64.b64encode(_little_endian(packed)).decode() if packed.tolist() == values else ""


def _little_endian(floats: array[float]) -> array[float]:
    if sys.byteorder == "big":
        floats.byteswap()
    return floats


def _lines(value: Any, indent: str) -> list[str]:
    is_numbers = isinstance(value, list) and all(isinstance(one, int | float) for one in value)
    is_numbers = is_numbers or (isinstance(value, dict) and list(value) == [_FLOATS])
    if is_numbers or not isinstance(value, list | dict) or not value:
        return [_text(value)]
    room = _WIDTH - len(indent)
    if _left(value, room) >= 0:
        short = _text(value)
        if len(short) <= room and f'"{_LINES}"' not in short:
            return [short]
    inner = indent + "  "
    if isinstance(value, dict):
        is_lines = len(value) == 1 and _LINES in value
        items = [
            [f"{inner}{_text(key)}: ", *(_rows(one, inner) if is_lines or key == "events" else _lines(one, inner))]
            for key, one in value.items()
        ]
        return _joined("{", items, indent + "}")
    return _joined("[", [[inner, *_lines(one, inner)] for one in value], indent + "]")


def _left(value: Any, room: int) -> int:
    """At most so many characters of a line are left beside a value; below zero, it surely does not fit. Told without
    writing it: what is large would be written once for each level that it is deep.
    """
    if isinstance(value, str):
        return room - len(value) - 2
    if not isinstance(value, list | dict):
        return room - 1
    for one in value.values() if isinstance(value, dict) else value:
        room = _left(one, room - 2)
        if room < 0:
            break
    return room


def _rows(values: Any, indent: str) -> list[str]:
    """A list with a line for each of its values."""
    if not isinstance(values, list) or not values:
        return _lines(values, indent)
    inner = indent + "  "
    return _joined("[", [[inner, _text(value)] for value in values], indent + "]")


def _joined(first: str, items: list[list[str]], last: str) -> list[str]:
    lines = [first, "\n"]
    for place, item in enumerate(items):
        lines += [*item, ",\n" if place < len(items) - 1 else "\n"]
    return [*lines, last]
