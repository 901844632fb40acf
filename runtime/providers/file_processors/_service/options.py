"""What a request may say about how its document is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from runtime.errors import RequestError
from runtime.similar import names_for

_KNOWN = ("page_range", "extract_metadata", "clean_text")
_RANGE = re.compile(r"(\d{1,7})(?:\s*-\s*(\d{1,7}))?")
_MAX_RANGES = 1000


@dataclass(frozen=True, kw_only=True)
class Options:
    """pages: first and last of each range, None for all. extract_metadata, clean_text: None for the config's. others:
    for whoever knows them.
    """

    pages: list[tuple[int, int]] | None = None
    extract_metadata: bool | None = None
    clean_text: bool | None = None
    others: Mapping[str, Any] = field(default_factory=dict)


def options_of(given: Mapping[str, Any] | None, *, allow_others: bool) -> Options:
    """The `options` of a request. Raises RequestError for a wrong value, and for names not known unless they go on."""
    given = given or {}
    others = {name: value for name, value in given.items() if name not in _KNOWN}
    if others and not allow_others:
        name = next(iter(others))
        raise RequestError(f"There is no option `{name}`", hint=names_for(name, _KNOWN), param="options")
    return Options(
        pages=_pages(given.get("page_range")),
        extract_metadata=_flag(given, "extract_metadata"),
        clean_text=_flag(given, "clean_text"),
        others=others,
    )


def _flag(given: Mapping[str, Any], name: str) -> bool | None:
    value = given.get(name)
    if value is not None and not isinstance(value, bool):
        raise RequestError(f"`{name}` in `options` must be true or false", param="options", code="invalid_value")
    return value


def _pages(value: Any) -> list[tuple[int, int]] | None:
    """`5`, `[1, 3]` (first and last) or `1-3,7`."""
    if value is None:
        return None
    if isinstance(value, list) and len(value) == 2:
        value = f"{value[0]}-{value[1]}"
    ranges = []
    for part in str(value).split(",", _MAX_RANGES):
        found = _RANGE.fullmatch(part.strip())
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
        if not 1 <= first <= last:
            raise RequestError(
                "`page_range` in `options` cannot be understood",
                hint="give `[first, last]`, or text such as `1-3,7`; pages count from 1",
                param="options",
                code="invalid_value",
            )
        ranges.append((first, last))
    return ranges
