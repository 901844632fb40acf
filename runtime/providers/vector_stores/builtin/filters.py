"""Filters over the attributes of files, as OpenAI has them: which groups of an index may be found.

An attribute that a file does not have equals nothing, is in no list, and is neither above nor below anything: so `ne`
and `nin` are true of it. A text is never equal to a number, and is ordered by code points; true and false have no
order. https://platform.openai.com/docs/guides/retrieval#attribute-filtering
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from runtime.apis.vector_stores.filters import ComparisonFilter, CompoundFilter

Attributes = Mapping[str, Any]
Test = Callable[[Attributes], bool]
_ORDERS = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}
_MISSING = object()


def test_of(filters: ComparisonFilter | CompoundFilter) -> Test:
    """The filter as a function of a file's attributes."""
    if isinstance(filters, CompoundFilter):
        tests = [test_of(one) for one in filters.filters]
        combined = all if filters.type == "and" else any
        return lambda attributes: combined(test(attributes) for test in tests)
    key, kind, value = filters.key, filters.type, filters.value
    if kind in _ORDERS:
        compare: Callable[[Any, Any], bool] = _ORDERS[kind]
        return lambda attributes: _have_order(attributes.get(key), value) and compare(attributes[key], value)
    wanted = frozenset(map(_typed, value if isinstance(value, list) else [value]))
    is_in: Test = lambda attributes: _typed(attributes.get(key, _MISSING)) in wanted  # noqa: E731
    return is_in if kind in ("eq", "in") else lambda attributes: not is_in(attributes)


def _typed(value: Any) -> tuple[str, Any]:
    """Equal for two values that are equal and of one type; 1 and 1.0 are."""
    if isinstance(value, bool):
        return "boolean", value
    return ("number", value) if isinstance(value, int | float) else ("text", value)


def _have_order(found: Any, value: Any) -> bool:
    """Whether one can be above the other."""
    if isinstance(found, bool) or isinstance(value, bool):
        return False
    return (isinstance(found, str) and isinstance(value, str)) or (
        isinstance(found, int | float) and isinstance(value, int | float)
    )
