"""What the values of a column are, told from their JSON, and what several kinds are together. Knows no database."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal

from runtime.errors import RequestError

Kind = Literal["null", "boolean", "integer", "real", "number", "text", "json"]
"""`null`: nothing else; `number`: integers and others, or integers of more than 64 bits; `json`: values of several
kinds, or nested ones. What has no SQL type of its own is kept as the text of its JSON, exactly as it was given.
"""
Columns = Sequence[tuple[str, Kind]]
SQL_TYPES: dict[Kind, str] = {
    "null": "VARCHAR",
    "boolean": "BOOLEAN",
    "integer": "BIGINT",
    "real": "DOUBLE",
    "number": "VARCHAR",
    "text": "VARCHAR",
    "json": "VARCHAR",
}
AS_JSON = frozenset[Kind](("number", "json"))
"""The kinds whose values are kept as the text of their JSON."""
_NUMBERS = {"integer", "real", "number"}
_BY_FIRST: dict[int, Kind] = {
    ord('"'): "text",
    ord("{"): "json",
    ord("["): "json",
    ord("t"): "boolean",
    ord("f"): "boolean",
    ord("n"): "null",
}
_SURELY_64_BITS, _SURELY_MORE = 18, 20
"""Digits of an integer."""


def together(kinds: Iterable[Kind]) -> Kind:
    """The kind of a column that has values of these kinds."""
    found = set(kinds) - {"null"}
    if len(found) < 2:
        return next(iter(found), "null")
    return "number" if found <= _NUMBERS else "json"


def merged(before: Columns, more: Columns) -> list[tuple[str, Kind]]:
    """The columns of rows that are followed by others: the new ones are behind those that were there."""
    kinds = dict(before)
    for name, kind in more:
        kinds[name] = together((kinds[name], kind)) if name in kinds else kind
    return list(kinds.items())


def kind_of(value: bytes) -> Kind:
    """The kind of a value, from its JSON. Raises RequestError for a number that no float can be."""
    return _BY_FIRST.get(value[0]) or kind_of_number(value)


def kind_of_number(value: bytes) -> Kind:
    """The same of a number. Raises RequestError."""
    digits = value[1:] if value[0] == ord("-") else value
    if digits.isdigit():
        if len(digits) <= _SURELY_64_BITS:
            return "integer"
        return "integer" if len(digits) < _SURELY_MORE and -(2**63) <= int(value) < 2**63 else "number"
    if math.isinf(float(value)):
        raise RequestError(f"`{value[:40].decode()}` is greater than any number that can be computed with")
    return "real"
