"""Filters of rows as SQL over the columns of a part, with bound values. Makes SQL, and runs none.

A text, a number and a boolean are never equal, and none is greater than another; a value that is null fits `ne` and
`nin` alone.
"""

from __future__ import annotations

import math
from typing import Any

from pydantic import BaseModel, ValidationError

from runtime.apis.vector_stores.filters import ComparisonFilter, CompoundFilter, Filters
from runtime.errors import RequestError
from runtime.invalid.in_json import invalid_request
from runtime.providers.datasetio.localfs.kinds import Columns, Kind
from runtime.sse import decode

Filter = ComparisonFilter | CompoundFilter
_OPERATORS = {"eq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_NEVER = "false"
_MOST = 2**100
"""What DuckDB surely has an integer for."""


class _Given(BaseModel):
    """The filters of a request; `invalid_request` needs a model."""

    filters: Filters


def filter_of(text: str) -> Filter:
    """The filter that a request has as JSON. Raises RequestError."""
    try:
        given = {"filters": decode(text.encode())}
    except (ValueError, TypeError) as error:
        raise RequestError(
            f"`filters` is no JSON object: {error}",
            hint='as in `{"type": "eq", "key": "category", "value": "history"}`',
            param="filters",
        ) from error
    try:
        return _Given.model_validate(given).filters
    except ValidationError as error:
        raise invalid_request(error, _Given, given) from error


def names_in(asked: Filter) -> set[str]:
    """The columns that it compares."""
    if isinstance(asked, CompoundFilter):
        return {name for one in asked.filters for name in names_in(one)}
    return {asked.key}


class Where:
    """A filter over the columns of one part. sql: its condition; values: for each `?` in it."""

    def __init__(self, asked: Filter, part: Columns) -> None:
        self._places = {name: (place, kind) for place, (name, kind) in enumerate(part)}
        self.values: list[Any] = []
        self.sql = self._condition(asked)

    def _condition(self, asked: Filter) -> str:
        """True or false, and never null."""
        if isinstance(asked, CompoundFilter):
            return "(" + f" {asked.type.upper()} ".join(map(self._condition, asked.filters)) + ")"
        place, kind = self._places.get(asked.key, (0, "null"))
        values = asked.value if isinstance(asked.value, list) else [asked.value]
        operator = _OPERATORS.get(asked.type, "=")
        compared = [self._compared(place, kind, operator, value) for value in values]
        found = f"coalesce({' OR '.join(compared) or _NEVER}, false)"
        return f"(NOT {found})" if asked.type in ("ne", "nin") else found

    def _compared(self, place: int, kind: Kind, operator: str, value: Any) -> str:
        column = f"c{place}"
        if isinstance(value, bool):
            if kind == "boolean":
                return self._bound(column, operator, value)
            return self._bound(column, operator, "true" if value else "false") if kind == "json" else _NEVER
        if isinstance(value, str):
            if kind == "text":
                return self._bound(column, operator, value)
            text = f"CASE WHEN starts_with({column}, '\"') THEN json_extract_string({column}, '$') END"
            return self._bound(text, operator, value) if kind == "json" else _NEVER
        if kind in ("integer", "real"):
            return self._bound(column, operator, value if abs(value) < _MOST else _float(value))
        if kind in ("number", "json"):
            return self._bound(f"TRY_CAST({column} AS DOUBLE)", operator, _float(value))
        return _NEVER

    def _bound(self, left: str, operator: str, value: Any) -> str:
        self.values.append(value)
        return f"{left} {operator} ?"


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
